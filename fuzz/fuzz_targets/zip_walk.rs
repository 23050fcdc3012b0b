//! `src/zip_walk.rs`, fed by libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hearth_fuzz::zip_walk::run(data));
