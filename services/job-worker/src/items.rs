//! A batch's items as bytes: each with its length before it.

use crate::kinds::Item;

/// Writes them.
pub(crate) fn write(items: &[Item]) -> Vec<u8> {
    let mut out = Vec::new();
    for item in items {
        let bytes = item.expose();
        out.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
        out.extend_from_slice(bytes);
    }
    out
}

/// Reads them; `None` when the bytes are not what [`write()`] wrote.
pub(crate) fn read(mut bytes: &[u8]) -> Option<Vec<Item>> {
    let mut items = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (item, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        items.push(Item::new(item));
        bytes = rest;
    }
    Some(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_back_as_they_were_and_a_cut_is_noticed() {
        let items = [Item::new(b"a"), Item::new(b""), Item::new(&[7; 300])];
        let written = write(&items);
        assert!(read(&written).is_some_and(|back| back == items));
        assert!(read(&written[..written.len() - 1]).is_none());
        assert!(read(&written[..2]).is_none());
        assert!(read(&[]).is_some_and(|none| none.is_empty()));
    }
}
