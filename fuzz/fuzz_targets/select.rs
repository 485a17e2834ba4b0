//! libFuzzer entry of the target `select`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| handfast_fuzz::run("select", data));
