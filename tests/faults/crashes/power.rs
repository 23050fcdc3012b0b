//! The power is cut: what was written but not synced is lost, and everything that was answered is there all the same.
//!
//! The data folder is on a file system of its own on an image. The kernel keeps what nobody syncs in memory, so a copy of
//! the image has just what a disk would have after a cut.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hearth_tests::{Folder, Mounted, Package, Server, Settings, eventually, python, rounds, try_http};
use serde_json::json;

const IMAGE_BYTES: u64 = 48 << 20;

fn source(code: usize) -> String {
    format!("def handler(event, context): return {code}\n")
}

/// What was asked of a function, one after the other: the code that it is to have, or that it is to be gone.
#[derive(Debug, Default)]
struct History {
    asked: Vec<Option<usize>>,
    /// How many of them were answered.
    answered: usize,
}

type Histories = Mutex<BTreeMap<String, History>>;

#[test]
fn case_120_a_loss_of_power_takes_nothing_that_was_answered() {
    for round in 0..rounds(6, 200) {
        let images = Folder::new();
        let (image, copy) = (images.path().join("disk"), images.path().join("copy"));
        let Some(disk) = Mounted::on_image(&image, IMAGE_BYTES) else { return };
        let server = Settings::new().data_path(&disk.path().join("data")).start();
        let (histories, cut) = (Histories::default(), AtomicBool::new(false));
        let address = server.address();
        let certain = thread::scope(|scope| {
            for writer in 0..2 {
                let (histories, cut) = (&histories, &cut);
                scope.spawn(move || change_until(cut, address, writer, histories));
            }
            // Later in each round, in the middle of whatever is going on.
            eventually("enough changes were answered", || {
                let answered: usize = histories.lock().unwrap().values().map(|it| it.answered).sum();
                (answered >= 4 + 3 * (round % 8)).then_some(())
            });
            // First what was answered, then the cut: what is answered between the two may be lost or not.
            let certain: BTreeMap<String, usize> =
                histories.lock().unwrap().iter().map(|(name, it)| (name.clone(), it.answered)).collect();
            server.kill();
            disk.cut_power(&copy);
            cut.store(true, Ordering::SeqCst);
            certain
        });
        drop(disk);

        let disk = Mounted::image(&copy).expect("it could be mounted before");
        let data = disk.path().join("data");
        // The machine has started anew.
        fs::write(data.join("boot-id"), "of another start of the machine").unwrap();
        let server = Settings::new().data_path(&data).start();
        let histories = histories.into_inner().unwrap();
        for (name, answered) in certain.into_iter().filter(|(_, answered)| *answered > 0) {
            let asked = &histories[&name].asked;
            let now = code_of(&server, &name);
            let since = &asked[answered - 1..];
            assert!(
                since.contains(&now),
                "{name} is {now:?}, after {asked:?}, of which {answered} were answered"
            );
        }
        server.stop();
    }
}

/// Reads which code a function has, once it has settled; `None` when it is not there.
fn code_of(server: &Server, name: &str) -> Option<usize> {
    let found = server.http("GET", &format!("/2015-03-31/functions/{name}"), b"");
    if found.status == 404 {
        return None;
    }
    let function = server.function(name);
    function.wait_until("State", "Active");
    function.wait_until("LastUpdateStatus", "Successful");
    Some(function.invoke("{}").success().as_u64().unwrap() as usize)
}

/// Creates, updates and deletes functions of its own until the power is cut, or the server is gone.
fn change_until(cut: &AtomicBool, address: SocketAddr, writer: usize, histories: &Histories) {
    for change in 0.. {
        let name = format!("function-{writer}-{}", change % 3);
        let path = format!("/2015-03-31/functions/{name}");
        let exists = histories.lock().unwrap().get(&name).and_then(|it| *it.asked.last()?).is_some();
        // Every fifth change of a function deletes it.
        let deletes = change / 3 % 5 == 4;
        let zip = BASE64.encode(Package::new().file("app.py", source(change)).zip());
        let (method, path, body, outcome) = match (deletes, exists) {
            (true, true) => ("DELETE", path, String::new(), None),
            (true, false) => continue,
            (false, true) => {
                ("PUT", format!("{path}/code"), json!({ "ZipFile": zip }).to_string(), Some(change))
            }
            (false, false) => {
                let body = python(&name, &source(change)).body().to_string();
                ("POST", "/2015-03-31/functions".to_owned(), body, Some(change))
            }
        };
        histories.lock().unwrap().entry(name.clone()).or_default().asked.push(outcome);
        // While a function settles a change is refused; that one was not made, so it is asked again.
        let answer = eventually("the change is answered, or the server is gone", || {
            match try_http(address, method, &path, &[], body.as_bytes()) {
                Ok(response) if response.status == 409 => None,
                answer => Some(answer),
            }
        });
        let Ok(response) = answer else { return };
        assert!((200..300).contains(&response.status), "{method} {path}: {}", response.text());
        let mut histories = histories.lock().unwrap();
        let history = histories.get_mut(&name).unwrap();
        history.answered = history.asked.len();
        if cut.load(Ordering::SeqCst) {
            return;
        }
    }
}
