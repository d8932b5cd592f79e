//! Forms as browsers send them: `name=value` pairs in which everything but letters, digits and `-._` is written as percent and
//! hexadecimal, so that no `+`, `&` or `%` of a password ends up as something else. The same spelling is right for a part of a path.

/// The body of a form of the type `application/x-www-form-urlencoded`.
pub(crate) fn form(fields: &[(&str, &str)]) -> String {
    let pairs: Vec<String> =
        fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    pairs.join("&")
}

/// One value, encoded.
pub(crate) fn encode(text: &str) -> String {
    let encoded = text.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    });
    encoded.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_encoded_and_names_too() {
        assert_eq!(encode("a-b_c.9"), "a-b_c.9");
        assert_eq!(encode("ü &=+"), "%C3%BC%20%26%3D%2B");
        assert_eq!(
            form(&[("name", "ann"), ("password", "100%4+1&x=y")]),
            "name=ann&password=100%254%2B1%26x%3Dy"
        );
    }
}
