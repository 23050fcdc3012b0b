//! Starts the program; everything is in the library next to this file.

fn main() -> std::process::ExitCode {
    hearth_cli::main()
}
