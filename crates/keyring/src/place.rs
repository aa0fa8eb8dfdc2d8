//! Associated data: where a sealed value belongs. Parts are length-prefixed, so that no two places read the same.

use sallyport_model::TenantId;

/// The place of a field of a tenant's row.
pub fn place(tenant: &TenantId, row: &[u8], field: &str) -> Vec<u8> {
    associated(&[tenant.as_str().as_bytes(), row, field.as_bytes()])
}

pub(crate) fn associated(parts: &[&[u8]]) -> Vec<u8> {
    let mut aad = Vec::new();
    for part in parts {
        aad.extend_from_slice(&(part.len() as u64).to_be_bytes());
        aad.extend_from_slice(part);
    }
    aad
}
