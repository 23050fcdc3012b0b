//! The master key of a data folder, which the secrets of sessions of roles follow from. In a file of its own, which nobody but
//! its owner may read: sessions go on when a server ends and another one begins, and the database holds no secret of them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use hearth_auth::MasterKey;

use crate::credentials::CredentialsError;

/// The file, in the data folder.
const FILE: &str = "sessions.key";

/// Reads the key of a data folder, or makes one. Whoever calls holds the lock of the folder.
pub(crate) fn open(data_dir: &Path) -> Result<MasterKey, CredentialsError> {
    let path = data_dir.join(FILE);
    let io = |source| CredentialsError::Io { path: path.clone(), source };
    match fs::metadata(&path) {
        Ok(metadata) => {
            let mode = metadata.permissions().mode() & 0o777;
            if mode & 0o077 != 0 {
                return Err(CredentialsError::Readable { path, mode });
            }
            let bytes = fs::read(&path).map_err(io)?;
            MasterKey::of_bytes(&bytes)
                .ok_or_else(|| CredentialsError::DamagedKey { path: path.clone(), bytes: bytes.len() })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let key = MasterKey::random().map_err(io)?;
            write(data_dir, &path, &key).map_err(io)?;
            Ok(key)
        }
        Err(error) => Err(io(error)),
    }
}

/// Writes the key so that it is there as a whole or not at all.
fn write(data_dir: &Path, path: &Path, key: &MasterKey) -> io::Result<()> {
    let unfinished = data_dir.join("sessions.key.new");
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&unfinished)?;
    file.write_all(key.expose())?;
    file.sync_all()?;
    fail::fail_point!("sessions::key", |_| Err(io::Error::other("injected")));
    fs::rename(&unfinished, path)?;
    File::open(data_dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_key_and_it_is_not_for_others() {
        let folder = std::env::temp_dir().join(format!("hearth-session-key-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let key = open(&folder).unwrap();
        assert_eq!(open(&folder).unwrap().expose(), key.expose());
        let path = folder.join(FILE);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(open(&folder), Err(CredentialsError::Readable { mode: 0o640, .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, b"short").unwrap();
        assert!(matches!(open(&folder), Err(CredentialsError::DamagedKey { bytes: 5, .. })));
        fs::remove_dir_all(&folder).unwrap();
    }
}
