//! libFuzzer entry of the target `host`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| handfast_fuzz::run("host", data));
