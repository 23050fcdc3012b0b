//! What hostile programs find behind the walls of the `namespaces` backend: nothing. Has its own `main`, as
//! `conformance.rs` has. Root runs each test twice: as itself, and as an ordinary user.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test, with its own `main`")]
#![allow(clippy::disallowed_methods, reason = "a host with other processes is what is tested against")]

mod backend;
mod ends;
mod host;
mod inside;
mod network;
mod snapshots;
mod without_root;

use std::path::Path;

use futures_util::future::BoxFuture;
use hearth_sandbox::ProcessId;

use host::Host;
use without_root::{as_ordinary_user, is_root, modes, on_a_host_of_its_own};

type Test = for<'a> fn(&'a Host) -> BoxFuture<'a, ()>;

const TESTS: &[(&str, Test)] = &[
    ("a_function_finds_lambdas_places", |host| Box::pin(inside::a_function_finds_lambdas_places(host))),
    ("case_063_071_processes_and_threads_end_at_their_limit", |host| Box::pin(inside::case_063_071(host))),
    ("case_065_tmp_ends_at_its_size_and_gives_it_back", |host| Box::pin(inside::case_065(host))),
    ("case_066_091_files_and_cores_have_limits_that_stay", |host| Box::pin(inside::case_066_091(host))),
    ("case_077_082_083_no_foreign_process_can_be_seen_read_or_hit", |host| {
        Box::pin(inside::case_077_082_083(host))
    }),
    ("case_078_079_nothing_of_the_host_can_be_read_or_written", |host| Box::pin(inside::case_078_079(host))),
    ("case_080_081_087_forbidden_calls_are_refused", |host| Box::pin(inside::case_080_081_087(host))),
    ("case_084_085_no_address_is_reached_but_the_runtime_api", |host| Box::pin(network::case_084_085(host))),
    ("case_088_there_is_no_terminal", |host| Box::pin(inside::case_088(host))),
    ("case_089_090_a_setuid_program_gains_nothing", |host| Box::pin(inside::case_089_090(host))),
    ("case_119_nothing_outlives_a_server_that_is_killed", |host| Box::pin(ends::case_119(host))),
    ("what_the_backend_says_of_itself_is_so", |host| Box::pin(backend::facts(host))),
    ("the_server_opens_sockets_inside", |host| Box::pin(backend::sockets(host))),
    ("init_is_nobody_on_the_host", |host| Box::pin(backend::init_is_nobody(host))),
    ("a_snapshot_goes_on_behind_walls_of_its_own", |host| Box::pin(snapshots::a_snapshot_goes_on(host))),
    ("restored_processes_share_nothing", |host| Box::pin(snapshots::restored_processes_share_nothing(host))),
    ("what_cannot_be_restored_is_refused", |host| {
        Box::pin(snapshots::what_cannot_be_restored_is_refused(host))
    }),
    ("the_time_of_a_start", |host| Box::pin(backend::the_time_of_a_start(host))),
];
/// What only an ordinary user does, on a host that root makes for it.
const ON_A_HOST_OF_ITS_OWN: (&str, Test) =
    ("case_085_pasta_reaches_others_and_not_this_host", |host| Box::pin(network::case_085_pasta(host)));
/// Before the name of a test that an ordinary user runs.
const WITHOUT_ROOT: &str = "without_root::";
/// A user that has no rights anywhere.
const ORDINARY_USER: u32 = 65_534;

const RUNTIME: ProcessId = ProcessId(1);
/// The first argument of this program started once more, as a server to be killed.
const VICTIM: &str = "--victim";

fn main() {
    hearth_sandbox_init::run_if_launcher();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    if let [first, folder, mark] = &arguments[..]
        && first == VICTIM
    {
        tokio.block_on(ends::victim(Path::new(folder), mark));
        return;
    }
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let all = || {
        let tests = |mode: &'static str| {
            let own = (mode == WITHOUT_ROOT).then_some(ON_A_HOST_OF_ITS_OWN);
            TESTS.iter().copied().chain(own).map(move |(name, test)| (mode, name, test))
        };
        modes().iter().flat_map(move |mode| tests(mode))
    };
    if has("--list") {
        if !has("--ignored") {
            all().for_each(|(mode, name, _)| println!("{mode}{name}: test"));
        }
        return;
    }
    let names: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let is_wanted = |name: &str| {
        let is_this =
            |wanted: &&String| if has("--exact") { name == *wanted } else { name.contains(*wanted) };
        names.is_empty() || names.iter().any(is_this)
    };
    let mut passed = 0;
    for (mode, name, test) in all().filter(|(mode, name, _)| is_wanted(&format!("{mode}{name}"))) {
        if mode == WITHOUT_ROOT && is_root() {
            let full_name = format!("{mode}{name}");
            if name == ON_A_HOST_OF_ITS_OWN.0 {
                on_a_host_of_its_own(&full_name);
            } else {
                as_ordinary_user(&full_name);
            }
        } else {
            let host =
                Host(std::env::temp_dir().join(format!("hearth-walls-{}-{passed}", std::process::id())));
            std::fs::create_dir_all(host.folder("code")).unwrap();
            tokio.block_on(test(&host));
        }
        passed += 1;
    }
    drop(tokio);
    println!(
        "\ntest result: ok. {passed} passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s"
    );
}
