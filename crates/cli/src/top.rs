//! `hearth top`: functions and environments, live.
//!
//! Asks the server each second. A server that goes away is said to have, and asked again.

mod screen;
mod view;

use std::io::Write;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};

use crate::arguments::TopArguments;
use crate::client::{Client, ClientError};
use crate::exit_code::ExitCode;

use self::screen::Screen;
use self::view::{Pressed, View};

/// How often the server is asked.
const PERIOD: Duration = Duration::from_secs(1);
/// How long it may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// Shows functions and environments until somebody has seen enough.
pub(crate) async fn run(
    arguments: &TopArguments,
    client: &Client,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let server = client.endpoint().to_string();
    if arguments.once || !screen::is_there() {
        let said: Value = ask(client).await.context("cannot tell what runs")?;
        for line in View::default().draw(&server, Some(&said), None, None) {
            writeln!(out, "{line}")?;
        }
        out.flush()?;
        return Ok(ExitCode::Success);
    }
    let mut resized = signal(SignalKind::window_change()).context("cannot listen for signals")?;
    let mut terminated = signal(SignalKind::terminate()).context("cannot listen for signals")?;
    let mut hung_up = signal(SignalKind::hangup()).context("cannot listen for signals")?;
    let mut keys = screen::keys()?;
    let mut screen = Screen::enter(out)?;
    let mut view = View::default();
    let mut said: Option<Value> = None;
    let mut trouble: Option<String> = Some("asking".to_owned());
    let mut answer = Box::pin(ask_after(client, Duration::ZERO));
    loop {
        let lines = view.draw(&server, said.as_ref(), trouble.as_deref(), Some(Screen::room()));
        screen.show(&lines)?;
        tokio::select! {
            answered = &mut answer => {
                match answered {
                    Ok(now) => (said, trouble) = (Some(now), None),
                    Err(error) => trouble = Some(format!("{:#}", anyhow::Error::from(error))),
                }
                answer = Box::pin(ask_after(client, PERIOD));
            }
            pressed = keys.recv() => match pressed {
                Some(bytes) => {
                    if view.press(&bytes) == Pressed::Quit {
                        break;
                    }
                }
                // Nobody can type any more.
                None => break,
            },
            _ = resized.recv() => {}
            _ = terminated.recv() => break,
            _ = hung_up.recv() => break,
        }
    }
    Ok(ExitCode::Success)
}

async fn ask_after(client: &Client, pause: Duration) -> Result<Value, ClientError> {
    tokio::time::sleep(pause).await;
    ask(client).await
}

/// Asks the server; one that says nothing for long is as good as one that is not there.
async fn ask(client: &Client) -> Result<Value, ClientError> {
    match tokio::time::timeout(ANSWER_LIMIT, client.get("/_hearth/top")).await {
        Ok(answered) => answered,
        Err(_) => Err(client.silent()),
    }
}
