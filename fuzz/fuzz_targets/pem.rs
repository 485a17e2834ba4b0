//! libFuzzer entry of the target `pem`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| handfast_fuzz::run("pem", data));
