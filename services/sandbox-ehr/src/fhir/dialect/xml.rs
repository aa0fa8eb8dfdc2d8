//! Resources as XML (<https://hl7.org/fhir/R4/xml.html>), for products that send it unless JSON is named.
//! Elements stand in the order of their names, which is enough for a client that must refuse XML.

use serde_json::Value;

/// The resource as an XML document.
pub(crate) fn to_xml(resource: &Value) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    write_resource(&mut out, resource, " xmlns=\"http://hl7.org/fhir\"");
    out
}

fn write_resource(out: &mut String, resource: &Value, namespace: &str) {
    let name = resource.get("resourceType").and_then(Value::as_str).unwrap_or("Resource");
    out.push_str(&format!("<{name}{namespace}>"));
    write_members(out, resource);
    out.push_str(&format!("</{name}>"));
}

fn write_members(out: &mut String, value: &Value) {
    for (name, member) in value.as_object().into_iter().flatten() {
        if name != "resourceType" {
            write_element(out, name, member);
        }
    }
}

fn write_element(out: &mut String, name: &str, value: &Value) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| write_element(out, name, item)),
        Value::Object(members) => {
            out.push_str(&format!("<{name}>"));
            if members.contains_key("resourceType") {
                write_resource(out, value, "");
            } else {
                write_members(out, value);
            }
            out.push_str(&format!("</{name}>"));
        }
        Value::Null => {}
        Value::String(text) => out.push_str(&format!("<{name} value=\"{}\"/>", escape(text))),
        Value::Bool(_) | Value::Number(_) => out.push_str(&format!("<{name} value=\"{value}\"/>")),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_resource_within_a_resource_keeps_its_type_and_text_is_escaped() {
        let body = json!({"resourceType": "Bundle", "total": 1,
            "entry": [{"resource": {"resourceType": "Patient", "id": "a<b"}}]});
        assert_eq!(
            to_xml(&body),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Bundle xmlns=\"http://hl7.org/fhir\">\
             <entry><resource><Patient><id value=\"a&lt;b\"/></Patient></resource></entry>\
             <total value=\"1\"/></Bundle>"
        );
    }
}
