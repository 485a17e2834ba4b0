//! libFuzzer entry of the target `proxy`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| handfast_fuzz::run("proxy", data));
