//! Signing in with an access key.

use maud::html;

use crate::PATH;
use crate::page::{Page, bare};

/// The form that asks for a key; `said` is why it is shown again.
pub(crate) fn show(token: &str, next: &str, said: Option<&str>, asks_for_keys: bool) -> Page {
    bare(
        "Sign in",
        html! {
            section.login {
                h1 { "Sign in" }
                @if !asks_for_keys {
                    p.note { "This server has no keys, so nobody has to sign in. " a href=(PATH) { "To the console" } }
                } @else {
                    p { "With the access key that you use for the API. What it may not do, you cannot do here." }
                    @if let Some(said) = said { p.note.bad role="alert" { (said) } }
                    form method="post" action=(format!("{PATH}/login")) {
                        input type="hidden" name="token" value=(token);
                        input type="hidden" name="next" value=(next);
                        label for="access_key_id" { "Access key id" }
                        input id="access_key_id" name="access_key_id" autocomplete="username" spellcheck="false" required
                            maxlength="128";
                        label for="secret_access_key" { "Secret access key" }
                        input id="secret_access_key" name="secret_access_key" type="password" required maxlength="256"
                            autocomplete="current-password";
                        button type="submit" { "Sign in" }
                    }
                    p.small { "Keys are made with " code { "hearth credentials add NAME" } "." }
                }
            }
        },
    )
}
