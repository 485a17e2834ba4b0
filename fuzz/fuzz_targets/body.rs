//! libFuzzer entry of the target `body`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| handfast_fuzz::run("body", data));
