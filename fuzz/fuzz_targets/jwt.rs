//! libFuzzer entry of the target `jwt`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| handfast_fuzz::run("jwt", data));
