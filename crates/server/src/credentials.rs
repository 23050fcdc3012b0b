//! The keys of those who call this server, and the file in the data folder that they are kept in.
//!
//! The file is changed by `hearth credentials`, whether a server runs or not, and as a whole: a reader sees the old or the
//! new one. A running server looks at it twice a second. From the first key on it asks everybody for one, until it ends:
//! also when the last key is removed, because a server that opens itself is no server to trust.

use std::collections::HashMap;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Duration;

use hearth_auth::{Caller, Credential, Credentials, Identity, Right, Secret, Temporary};
use hearth_iam::Sessions;
use hearth_types::AccountId;
use serde::{Deserialize, Serialize};

/// The file, in the data folder.
const FILE: &str = "credentials.json";
/// Who holds this changes the file.
const LOCK: &str = "credentials.lock";
/// How often a running server looks at the file.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Longer than any list that people keep by hand.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// AWS's limit on the name of a user.
const NAME_CHARS_MAX: usize = 64;

/// What the owner of a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// Everything.
    Admin,
    /// Call functions.
    InvokeOnly,
    /// See everything, change and call nothing.
    ReadOnly,
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Admin => "admin",
            Self::InvokeOnly => "invoke-only",
            Self::ReadOnly => "read-only",
        })
    }
}

/// Why the file with the keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// It cannot be read or written.
    #[error("cannot use the keys in `{}`", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not what this program writes. What it says instead is not repeated: there are secrets in it.
    #[error("`{}` is not a list of keys (line {line}, column {column})", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// Where it stops making sense.
        line: usize,
        /// Where in the line.
        column: usize,
    },
    /// It is not a key that this program writes.
    #[error("`{}` has {bytes} bytes, and is no master key of sessions", path.display())]
    DamagedKey {
        /// Which file.
        path: PathBuf,
        /// How long it is.
        bytes: usize,
    },
    /// Others may read it.
    #[error("the keys in `{}` can be read by others than their owner (mode {mode:o})", path.display())]
    Readable {
        /// Which file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// That is no name.
    #[error("`{0}` is not a name for a key: letters, digits and `+=,.@_-`, up to 64")]
    Name(String),
    /// That is no organization.
    #[error("`{0}` is not the id of an organization, such as `o-1a2b3c4d5e`")]
    Organization(String),
    /// Nobody has it.
    #[error("there is no key `{0}`")]
    Unknown(String),
}

impl CredentialsError {
    /// What the operator can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Readable { .. } => {
                Some("take their right away with `chmod 600`, and think about who has read it")
            }
            Self::Damaged { .. } => Some("restore the file, or remove it and make new keys"),
            Self::DamagedKey { .. } => {
                Some("restore the file, or remove it: sessions of roles that go on are good for nothing then")
            }
            Self::Unknown(_) => Some("`hearth credentials list` shows those that there are"),
            Self::Io { .. } | Self::Name(_) | Self::Organization(_) => None,
        }
    }
}

/// A key as it is kept.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    access_key_id: String,
    secret_access_key: String,
    name: String,
    policy: Policy,
    created_at_ms: i64,
    /// Without one, it is of the account of the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    organization_id: Option<String>,
}

/// Whom a key is made for.
#[derive(Debug, Clone)]
pub struct KeyOwner {
    /// The name of the user.
    pub name: String,
    /// What they may do.
    pub policy: Policy,
    /// Their account. `None` for that of the server; others get to what policies let them to.
    pub account: Option<AccountId>,
    /// The organization of that account, such as `o-1a2b3c4d5e`.
    pub organization_id: Option<String>,
}

/// A key as it is shown: without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KnownKey {
    /// `AKIA…`.
    pub access_key_id: String,
    /// Whose it is.
    pub name: String,
    /// What they may do.
    pub policy: Policy,
    /// When it was made, in milliseconds since 1970.
    pub created_at_ms: i64,
    /// Whose it is. `None` for the account of the server.
    pub account: Option<String>,
    /// The organization of that account.
    pub organization_id: Option<String>,
}

/// The keys of a data folder.
#[derive(Debug, Clone)]
pub struct CredentialsFile {
    folder: PathBuf,
    path: PathBuf,
}

impl CredentialsFile {
    /// Names the file of a data folder, which need not be there.
    pub fn of(data_dir: &Path) -> Self {
        Self { folder: data_dir.to_owned(), path: data_dir.join(FILE) }
    }

    /// Makes a key. Its secret is returned here and never again.
    pub fn add(&self, owner: KeyOwner, now_epoch_ms: i64) -> Result<(KnownKey, Secret), CredentialsError> {
        let KeyOwner { name, policy, account, organization_id } = owner;
        let is_of_a_name = |c: char| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c);
        if name.is_empty() || name.len() > NAME_CHARS_MAX || !name.chars().all(is_of_a_name) {
            return Err(CredentialsError::Name(name.chars().take(NAME_CHARS_MAX).collect()));
        }
        if let Some(id) = organization_id.as_deref().filter(|id| !is_organization(id)) {
            return Err(CredentialsError::Organization(id.chars().take(NAME_CHARS_MAX).collect()));
        }
        let (access_key_id, secret) = Temporary::permanent().map_err(|source| self.io(source))?;
        let kept = Kept {
            access_key_id,
            secret_access_key: secret.expose().to_owned(),
            name,
            policy,
            created_at_ms: now_epoch_ms,
            account: account.map(|account| account.to_string()),
            organization_id,
        };
        let known = known(&kept);
        self.change(|all| {
            all.push(kept);
            Ok(())
        })?;
        Ok((known, secret))
    }

    /// Returns all keys, without their secrets.
    pub fn list(&self) -> Result<Vec<KnownKey>, CredentialsError> {
        Ok(self.read()?.iter().map(known).collect())
    }

    /// Removes a key.
    pub fn remove(&self, access_key_id: &str) -> Result<(), CredentialsError> {
        self.change(|all| {
            let before = all.len();
            all.retain(|kept| kept.access_key_id != access_key_id);
            match all.len() < before {
                true => Ok(()),
                false => Err(CredentialsError::Unknown(access_key_id.chars().take(128).collect())),
            }
        })
    }

    fn io(&self, source: io::Error) -> CredentialsError {
        CredentialsError::Io { path: self.path.clone(), source }
    }

    /// Reads the keys. A file that is not there has none.
    fn read(&self) -> Result<Vec<Kept>, CredentialsError> {
        let metadata = match fs::metadata(&self.path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
            Err(source) => return Err(self.io(source)),
        };
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(CredentialsError::Readable { path: self.path.clone(), mode });
        }
        if metadata.len() > FILE_BYTES_MAX {
            return Err(self.io(io::ErrorKind::FileTooLarge.into()));
        }
        let text = fs::read(&self.path).map_err(|source| self.io(source))?;
        serde_json::from_slice(&text).map_err(|error| CredentialsError::Damaged {
            path: self.path.clone(),
            line: error.line(),
            column: error.column(),
        })
    }

    /// Changes the list, one after the other, and makes that durable.
    fn change(
        &self,
        change: impl FnOnce(&mut Vec<Kept>) -> Result<(), CredentialsError>,
    ) -> Result<(), CredentialsError> {
        let io = |source| self.io(source);
        fs::create_dir_all(&self.folder).map_err(io)?;
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true).mode(0o600);
        let lock = options.open(self.folder.join(LOCK)).map_err(io)?;
        lock.lock().map_err(io)?;
        let mut all = self.read()?;
        change(&mut all)?;
        let mut text = serde_json::to_vec_pretty(&all).map_err(|error| io(error.into()))?;
        text.push(b'\n');
        // Of somebody who was interrupted: it has a secret in it that nobody was told.
        let unfinished = self.folder.join("credentials.json.new");
        match fs::remove_file(&unfinished) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io(error)),
            _ => {}
        }
        let mut file =
            OpenOptions::new().create_new(true).write(true).mode(0o600).open(&unfinished).map_err(io)?;
        file.write_all(&text).and_then(|()| file.sync_all()).map_err(io)?;
        fail::fail_point!("credentials::write", |_| Err(io(io::Error::other("injected"))));
        fs::rename(&unfinished, &self.path).map_err(io)?;
        File::open(&self.folder).and_then(|folder| folder.sync_all()).map_err(io)
    }
}

fn known(kept: &Kept) -> KnownKey {
    KnownKey {
        access_key_id: kept.access_key_id.clone(),
        name: kept.name.clone(),
        policy: kept.policy,
        created_at_ms: kept.created_at_ms,
        account: kept.account.clone(),
        organization_id: kept.organization_id.clone(),
    }
}

/// Source: the Organizations API reference, read 2026-11.
fn is_organization(id: &str) -> bool {
    let is_of_one = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    id.strip_prefix("o-").is_some_and(|id| (10..=32).contains(&id.len()) && id.bytes().all(is_of_one))
}

/// The keys that a running server takes.
pub(crate) struct KnownCredentials {
    file: CredentialsFile,
    account: AccountId,
    keys: RwLock<HashMap<String, Arc<Credential>>>,
    /// Whether callers have to have one. Never becomes false again.
    are_required: AtomicBool,
}

/// How a file looked: another look is another file.
type Look = Option<(u64, i64, i64, u64)>;

impl KnownCredentials {
    /// Reads the keys of a data folder, and begins to look for changes. Needs a Tokio runtime.
    pub(crate) fn open(data_dir: &Path, account: AccountId) -> Result<Arc<Self>, CredentialsError> {
        let known = Arc::new(Self {
            file: CredentialsFile::of(data_dir),
            account,
            keys: RwLock::default(),
            are_required: AtomicBool::new(false),
        });
        let look = known.look();
        known.read()?;
        tokio::spawn(look_for_changes(Arc::downgrade(&known), look));
        Ok(known)
    }

    /// Whether callers have to sign. One load: every call of a function comes by here.
    pub(crate) fn are_required(&self) -> bool {
        self.are_required.load(Ordering::Acquire)
    }

    fn look(&self) -> Look {
        let metadata = fs::metadata(&self.file.path).ok()?;
        Some((metadata.ino(), metadata.mtime(), metadata.mtime_nsec(), metadata.size()))
    }

    fn read(&self) -> Result<(), CredentialsError> {
        let mut keys = HashMap::new();
        for kept in self.file.read()? {
            keys.insert(kept.access_key_id.clone(), Arc::new(self.credential(kept)?));
        }
        let any = !keys.is_empty();
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        if any {
            self.are_required.store(true, Ordering::Release);
        }
        Ok(())
    }

    fn credential(&self, kept: Kept) -> Result<Credential, CredentialsError> {
        let account = match kept.account {
            None => self.account.clone(),
            Some(account) => AccountId::new(&account)
                .map_err(|_| self.file.io(io::Error::other("an account in it does not have 12 digits")))?,
        };
        let rights = match kept.policy {
            Policy::Admin => Right::admin(),
            Policy::InvokeOnly => Right::invoke_only(),
            Policy::ReadOnly => Right::read_only(),
        };
        // The id of a user differs from that of a key in how it begins.
        let user_id = format!("AIDA{}", kept.access_key_id.get(4..).unwrap_or_default());
        let arn = format!("arn:aws:iam::{account}:user/{}", kept.name);
        let user = Identity::user(Caller { arn, user_id }, account, rights);
        Ok(Credential {
            access_key_id: kept.access_key_id,
            secret_access_key: Secret::new(kept.secret_access_key),
            session_token: None,
            expires_ms: None,
            identity: Identity { organization_id: kept.organization_id, ..user },
        })
    }
}

impl Credentials for KnownCredentials {
    fn find(&self, access_key_id: &str) -> Option<Arc<Credential>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).get(access_key_id).cloned()
    }
}

/// The keys of users, and those of sessions of roles.
pub(crate) struct AllKeys {
    pub(crate) known: Arc<KnownCredentials>,
    pub(crate) sessions: Arc<Sessions>,
}

impl Credentials for AllKeys {
    fn find(&self, access_key_id: &str) -> Option<Arc<Credential>> {
        self.known.find(access_key_id).or_else(|| self.sessions.find(access_key_id))
    }
}

/// Reads the file again whenever it is another one. One that cannot be used changes nothing: the keys from before count.
async fn look_for_changes(known: Weak<KnownCredentials>, mut seen: Look) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let Some(known) = known.upgrade() else { return };
        let look = known.look();
        if look == seen {
            continue;
        }
        seen = look;
        let read = tokio::task::spawn_blocking(move || known.read()).await;
        match read {
            Ok(Ok(())) => tracing::info!("the keys of callers have changed"),
            Ok(Err(error)) => {
                let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
                tracing::error!(%error, source, "the keys of callers cannot be read; those from before count");
            }
            Err(error) => {
                tracing::error!(%error, "the keys of callers cannot be read; those from before count")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("hearth-credentials-{}-{name}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn owner(name: &str, policy: Policy) -> KeyOwner {
        KeyOwner { name: name.to_owned(), policy, account: None, organization_id: None }
    }

    #[test]
    fn a_key_is_kept_for_its_owner_alone_and_its_secret_is_not_shown_again() {
        let folder = Folder::new("kept");
        let file = CredentialsFile::of(&folder.0);
        assert_eq!(file.list().unwrap(), []);
        let (ada, secret) = file.add(owner("ada", Policy::Admin), 1).unwrap();
        let (bob, _) = file.add(owner("bob", Policy::ReadOnly), 2).unwrap();
        assert_eq!(file.list().unwrap(), [ada.clone(), bob.clone()]);
        let mode = fs::metadata(folder.0.join(FILE)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        assert!(!format!("{:?} {ada:?}", file.list()).contains(secret.expose()));
        file.remove(&ada.access_key_id).unwrap();
        assert_eq!(file.list().unwrap(), [bob]);
        assert!(matches!(file.remove(&ada.access_key_id), Err(CredentialsError::Unknown(_))));
        for id in ["", "o-1", "1a2b3c4d5e6f", "o-1A2B3C4D5E6F"] {
            let eve = KeyOwner { organization_id: Some(id.to_owned()), ..owner("eve", Policy::Admin) };
            assert!(matches!(file.add(eve, 1), Err(CredentialsError::Organization(_))), "{id}");
        }
        let account = AccountId::new("222222222222").unwrap();
        let organization_id = Some("o-1a2b3c4d5e".to_owned());
        let eve = KeyOwner { account: Some(account), organization_id, ..owner("eve", Policy::Admin) };
        let (eve, _) = file.add(eve, 3).unwrap();
        assert_eq!(eve.account.as_deref(), Some("222222222222"));
        assert_eq!(file.list().unwrap()[1], eve);
        for name in ["", "a b", "a/b", "ü", &"x".repeat(65)] {
            assert!(
                matches!(file.add(owner(name, Policy::Admin), 1), Err(CredentialsError::Name(_))),
                "{name}"
            );
        }
    }

    #[test]
    fn a_file_that_others_may_read_or_that_is_damaged_is_refused_without_a_word_of_it() {
        let folder = Folder::new("refused");
        let file = CredentialsFile::of(&folder.0);
        let (_, secret) = file.add(owner("ada", Policy::Admin), 1).unwrap();
        let path = folder.0.join(FILE);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(file.list(), Err(CredentialsError::Readable { mode: 0o644, .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        for damaged in [
            text.replace("admin", "emperor"),
            text.replace("\"name\"", "\"title\""),
            text[..60].to_owned(),
            String::new(),
        ] {
            fs::write(&path, damaged).unwrap();
            let error = file.list().unwrap_err();
            assert!(matches!(error, CredentialsError::Damaged { .. }), "{error}");
            assert!(!format!("{error} {error:?}").contains(secret.expose()));
            assert!(file.add(owner("bob", Policy::Admin), 1).is_err(), "nothing is written over it");
        }
    }
}
