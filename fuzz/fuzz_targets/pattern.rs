//! libFuzzer entry of the target `pattern`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| handfast_fuzz::run("pattern", data));
