//! libFuzzer entry of the target `path`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| handfast_fuzz::run("path", data));
