//! libFuzzer entry of the target `response`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| handfast_fuzz::run("response", data));
