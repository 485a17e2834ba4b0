//! libFuzzer entry of the target `policy`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| handfast_fuzz::run("policy", data));
