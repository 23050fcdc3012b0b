//! `src/runtime_api_framing.rs`, fed by libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hearth_fuzz::runtime_api_framing::run(data));
