//! libFuzzer entry of the target `expression`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| handfast_fuzz::run("expression", data));
