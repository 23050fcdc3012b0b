//! XML as S3 writes and reads it.

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;

pub(crate) use hearth_aws_wire::xml::{Xml, escaped};

use crate::error::S3Error;

pub(crate) const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";
/// How deep elements may stand in each other: more than any request has.
const DEPTH_MAX: usize = 8;

/// Returns a document with these elements in its root.
pub(crate) fn document(xml: &Xml, root: &str) -> String {
    format!("{DECLARATION}<{root} xmlns=\"{NAMESPACE}\">{}</{root}>", xml.text())
}

/// An element that was read: its name without a prefix, its text, and what stands in it.
#[derive(Debug, Default)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) children: Vec<Element>,
}

impl Element {
    /// Reads a document. Entities other than XML's own are refused, and so are document types.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, S3Error> {
        let wrong = S3Error::malformed_xml;
        let text = std::str::from_utf8(bytes).map_err(|_| wrong())?;
        let mut reader = Reader::from_str(text);
        let mut open: Vec<Self> = vec![Self::default()];
        loop {
            match reader.read_event().map_err(|_| wrong())? {
                Event::Start(start) => {
                    if open.len() > DEPTH_MAX {
                        return Err(wrong());
                    }
                    open.push(Self::named(start.local_name().as_ref())?);
                }
                Event::Empty(start) => {
                    let element = Self::named(start.local_name().as_ref())?;
                    open.last_mut().ok_or_else(wrong)?.children.push(element);
                }
                Event::End(_) => {
                    let element = open.pop().ok_or_else(wrong)?;
                    open.last_mut().ok_or_else(wrong)?.children.push(element);
                }
                Event::Text(text) => {
                    let text = text.decode().map_err(|_| wrong())?;
                    open.last_mut().ok_or_else(wrong)?.text.push_str(&text);
                }
                Event::CData(text) => {
                    let text = text.decode().map_err(|_| wrong())?;
                    open.last_mut().ok_or_else(wrong)?.text.push_str(&text);
                }
                Event::GeneralRef(reference) => {
                    let element = open.last_mut().ok_or_else(wrong)?;
                    if let Some(character) = reference.resolve_char_ref().map_err(|_| wrong())? {
                        element.text.push(character);
                    } else {
                        let name = reference.decode().map_err(|_| wrong())?;
                        element.text.push_str(resolve_predefined_entity(&name).ok_or_else(wrong)?);
                    }
                }
                Event::Eof => break,
                Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
                Event::DocType(_) => return Err(wrong()),
            }
        }
        match (open.pop(), open.is_empty()) {
            (Some(mut document), true) if document.children.len() == 1 => {
                document.children.pop().ok_or_else(wrong)
            }
            _ => Err(wrong()),
        }
    }

    fn named(name: &[u8]) -> Result<Self, S3Error> {
        let name = String::from_utf8(name.to_vec()).map_err(|_| S3Error::malformed_xml())?;
        Ok(Self { name, ..Self::default() })
    }

    /// Returns the text of the first child of this name.
    pub(crate) fn child(&self, name: &str) -> Option<&str> {
        self.children.iter().find(|child| child.name == name).map(|child| child.text.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_read_and_what_could_expand_is_refused() {
        let text = "<?xml version=\"1.0\"?><Delete xmlns=\"x\"><Object><Key>a&amp;&#98;</Key></Object><Quiet/></Delete>";
        let document = Element::read(text.as_bytes()).unwrap();
        assert_eq!(document.name, "Delete");
        assert_eq!(document.children[0].child("Key"), Some("a&b"));
        assert_eq!(document.child("Quiet"), Some(""));
        let deep = "<a>".repeat(64);
        for text in [
            "",
            "x",
            "<a>",
            "<a></b>",
            "<a/><b/>",
            "<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>",
            "<a>&x;</a>",
            &deep,
        ] {
            assert!(Element::read(text.as_bytes()).is_err(), "{text}");
        }
    }
}
