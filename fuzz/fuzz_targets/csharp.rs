//! libFuzzer entry of the target `csharp`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| handfast_fuzz::run("csharp", data));
