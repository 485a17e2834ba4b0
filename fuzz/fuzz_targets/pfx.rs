//! libFuzzer entry of the target `pfx`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| handfast_fuzz::run("pfx", data));
