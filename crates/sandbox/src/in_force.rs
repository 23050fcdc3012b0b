//! What the backend `namespaces` says of itself: which of its walls and limits are in force on this host.

use hearth_sandbox_init::{denied_calls, landlock};

use crate::Fact;
use crate::cgroups::{Controller, Discovery, Hierarchy};
use crate::foundations::USER_FIRST;
use crate::rootless::Mode;

/// What is in force, in the order in which it is read.
pub(crate) fn facts(mode: Mode, limits: Vec<Fact>, network: Fact, storage: Fact) -> Vec<Fact> {
    let mut facts = Vec::new();
    match mode {
        Mode::Root { with_user_namespace } => {
            let user = if with_user_namespace { ", user" } else { "" };
            let namespaces = format!("pid, mount, network, ipc, uts, cgroup{user}");
            facts.push(Fact::in_force("namespaces", namespaces));
            if !with_user_namespace {
                let without =
                    "not there: user.max_user_namespaces is 0; what a function may do is the same without";
                facts.push(Fact::missing("user namespace", without));
            }
            let users = format!("an own one on this machine for each environment, from {USER_FIRST} on");
            facts.push(Fact::in_force("user", users));
        }
        Mode::Rootless => {
            facts.push(Fact::in_force("namespaces", "user, pid, mount, network, ipc, uts, cgroup"));
            let user = nix::unistd::geteuid();
            let users = format!(
                "without root functions have none of their own: all run as this server's, {user}, and keep its groups; the \
                 limits that the kernel counts by user are one for all of them"
            );
            facts.push(Fact::missing("user", users));
        }
    }
    facts.push(Fact::in_force("files", "read-only but for /tmp, and only what Lambda shows; no devices"));
    let seccomp = format!("{} system calls denied, others in part; no capabilities", denied_calls());
    facts.push(Fact::in_force("seccomp", seccomp));
    facts.push(match landlock::abi() {
        0 => Fact::missing("Landlock", "not there: this kernel has none, or has it switched off"),
        old if old < landlock::ABI_MIN => {
            Fact::missing("Landlock", format!("not used: ABI {old} is too old"))
        }
        abi if abi < landlock::ABI_OF_SCOPES => {
            Fact::in_force("Landlock", format!("ABI {abi}: writing only below /tmp"))
        }
        abi => {
            let state = format!(
                "ABI {abi}: writing only below /tmp; signals and abstract sockets stay in the environment"
            );
            Fact::in_force("Landlock", state)
        }
    });
    facts.extend(limits);
    facts.push(network);
    facts.push(storage);
    facts
}

/// What is limited, by which controller, and what is not because nothing serves it. `obstacle` is why none is used.
pub(crate) fn limits(discovery: &Discovery, obstacle: Option<&str>) -> Vec<Fact> {
    if let Some(obstacle) = obstacle {
        let state = format!("not limited, and nothing stands still between calls: {obstacle}");
        return vec![Fact::missing("memory, CPU", state)];
    }
    let of = |controller| match discovery.of(controller) {
        Ok(served) => {
            let version = match served.hierarchy {
                Hierarchy::V1 => "v1",
                Hierarchy::V2 => "v2",
            };
            Fact::in_force(name(controller), format!("by cgroup {version}, in {}", served.group.display()))
        }
        Err(why) => Fact::missing(name(controller), why.to_string()),
    };
    Controller::ALL.map(of).into()
}

fn name(controller: Controller) -> &'static str {
    match controller {
        Controller::Memory => "memory",
        Controller::Cpu => "CPU",
        Controller::Pids => "processes",
        Controller::Freezer => "freezing",
    }
}
