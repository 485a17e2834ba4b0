//! libFuzzer entry of the target `certificate`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| handfast_fuzz::run("certificate", data));
