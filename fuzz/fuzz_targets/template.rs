//! libFuzzer entry of the target `template`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| handfast_fuzz::run("template", data));
