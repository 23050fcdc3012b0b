//! Lists of objects, in both versions.

use std::ops::Bound;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hearth_aws_wire::Response;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::buckets::Object;
use crate::error::S3Error;
use crate::request::Asked;
use crate::xml::Xml;
use crate::{S3, description, document, xml};

/// The longest page. Source: ListObjectsV2 in the S3 API reference, read 2026-11.
const PAGE_MAX: u32 = 1_000;

/// What stays as it is in keys that are listed percent-encoded.
const KEY: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/').remove(b'*');

/// An entry of a list.
enum Entry {
    Object(Arc<Object>),
    /// What several keys begin with.
    Prefix(String),
}

impl Entry {
    fn name(&self) -> &str {
        match self {
            Self::Object(object) => &object.record.key,
            Self::Prefix(prefix) => prefix,
        }
    }
}

/// A page of a list.
struct Page {
    entries: Vec<Entry>,
    /// Whether it goes on behind the last entry.
    is_truncated: bool,
}

/// How keys are written.
#[derive(Clone, Copy)]
struct Encoding(bool);

impl Encoding {
    fn of(asked: &Asked) -> Result<Self, S3Error> {
        match asked.query("encoding-type") {
            None => Ok(Self(false)),
            Some("url") => Ok(Self(true)),
            Some(_) => Err(S3Error::invalid_argument(
                "encoding-type",
                "Invalid Encoding Method specified in Request",
            )),
        }
    }

    fn write(self, text: &str) -> String {
        if self.0 { utf8_percent_encode(text, KEY).to_string() } else { text.to_owned() }
    }
}

impl S3 {
    pub(crate) fn list_objects(&self, asked: &Asked) -> Result<Response, S3Error> {
        let (marker, encoding) = (asked.query("marker").unwrap_or_default(), Encoding::of(asked)?);
        let (page, page_max) = self.page(asked, Some(marker).filter(|marker| !marker.is_empty()))?;
        let next = page.entries.last().filter(|_| page.is_truncated && asked.has("delimiter"));
        let list = Xml::default()
            .with("Name", asked.bucket())
            .with("Prefix", encoding.write(asked.query("prefix").unwrap_or_default()))
            .with("Marker", encoding.write(marker))
            .with_some("NextMarker", next.map(|entry| encoding.write(entry.name())))
            .with("MaxKeys", page_max.to_string());
        let list = entries(list, asked, &page, encoding, true);
        Ok(document(xml::document(&list, "ListBucketResult")))
    }

    pub(crate) fn list_objects_v2(&self, asked: &Asked) -> Result<Response, S3Error> {
        let encoding = Encoding::of(asked)?;
        let token = asked.query("continuation-token");
        let wrong = || {
            S3Error::invalid_argument("continuation-token", "The continuation token provided is incorrect")
        };
        let after = match token {
            Some(token) => {
                let name = URL_SAFE_NO_PAD.decode(token).ok().and_then(|name| String::from_utf8(name).ok());
                Some(name.ok_or_else(wrong)?)
            }
            None => asked.query("start-after").map(str::to_owned),
        };
        let (page, page_max) = self.page(asked, after.as_deref().filter(|after| !after.is_empty()))?;
        let next = page.entries.last().filter(|_| page.is_truncated);
        let list = Xml::default()
            .with("Name", asked.bucket())
            .with("Prefix", encoding.write(asked.query("prefix").unwrap_or_default()))
            .with_some("ContinuationToken", token)
            .with_some("NextContinuationToken", next.map(|entry| URL_SAFE_NO_PAD.encode(entry.name())))
            .with_some("StartAfter", asked.query("start-after").map(|after| encoding.write(after)))
            .with("KeyCount", page.entries.len().to_string())
            .with("MaxKeys", page_max.to_string());
        let with_owner = asked.query("fetch-owner") == Some("true");
        let list = entries(list, asked, &page, encoding, with_owner);
        Ok(document(xml::document(&list, "ListBucketResult")))
    }

    /// Takes a page of what follows `after`.
    fn page(&self, asked: &Asked, after: Option<&str>) -> Result<(Page, u32), S3Error> {
        let page_max = asked.number("max-keys", 0, PAGE_MAX)?.unwrap_or(PAGE_MAX);
        let prefix = asked.query("prefix").unwrap_or_default();
        let delimiter = asked.query("delimiter").filter(|delimiter| !delimiter.is_empty());
        let state = self.buckets.read();
        let objects = &state.bucket(asked.bucket())?.objects;
        let mut page = Page { entries: vec![], is_truncated: false };
        let start = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        for (key, object) in objects.range::<str, _>((start, Bound::Unbounded)) {
            let Some(rest) = key.strip_prefix(prefix) else { break };
            let entry = match delimiter.and_then(|delimiter| Some(rest.find(delimiter)? + delimiter.len())) {
                Some(length) => Entry::Prefix(format!("{prefix}{}", &rest[..length])),
                None => Entry::Object(object.clone()),
            };
            // Keys of a prefix that was listed already, on this page or the one before.
            if matches!(entry, Entry::Prefix(_))
                && (page.entries.last().is_some_and(|last| last.name() == entry.name())
                    || after.is_some_and(|after| after.starts_with(entry.name())))
            {
                continue;
            }
            if page.entries.len() == page_max as usize {
                page.is_truncated = page_max > 0;
                break;
            }
            page.entries.push(entry);
        }
        Ok((page, page_max))
    }
}

fn entries(mut list: Xml, asked: &Asked, page: &Page, encoding: Encoding, with_owner: bool) -> Xml {
    list = list
        .with_some("Delimiter", asked.query("delimiter").map(|delimiter| encoding.write(delimiter)))
        .with_some("EncodingType", asked.query("encoding-type"))
        .with("IsTruncated", page.is_truncated.to_string());
    for entry in &page.entries {
        list = match entry {
            Entry::Prefix(prefix) => {
                list.with_inside("CommonPrefixes", &Xml::default().with("Prefix", encoding.write(prefix)))
            }
            Entry::Object(object) => {
                let object = &object.record;
                let mut entry = Xml::default()
                    .with("Key", encoding.write(&object.key))
                    .with("LastModified", description::date(object.modified_ms))
                    .with("ETag", format!("\"{}\"", object.etag))
                    .with("Size", object.size.to_string())
                    .with("StorageClass", "STANDARD");
                if with_owner {
                    let owner = Xml::default().with("ID", "hearth").with("DisplayName", "hearth");
                    entry = entry.with_inside("Owner", &owner);
                }
                list.with_inside("Contents", &entry)
            }
        };
    }
    list
}
