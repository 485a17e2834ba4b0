//! libFuzzer entry of the target `liquid`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| handfast_fuzz::run("liquid", data));
