//! libFuzzer entry of the target `request`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| handfast_fuzz::run("request", data));
