//! Tenants of Microsoft Entra ID, and of issuers that speak like it: where their metadata is and what their tokens say
//! (specification 5.2; vault 2.12).

/// Where tenants are when nothing else is said.
pub const AUTHORITY: &str = "https://login.microsoftonline.com";

/// The metadata of a tenant: of its name below the authority, or of a URL that it is.
pub fn metadata(authority: &str, tenant: &str) -> String {
    let with_scheme = |text: &str| {
        let text = text.trim().trim_end_matches('/');
        if text.contains("://") { text.to_owned() } else { format!("https://{text}") }
    };
    let base = match tenant.contains("://") {
        true => with_scheme(tenant),
        false => format!("{}/{}", with_scheme(authority), tenant.trim()),
    };
    format!("{}/v2.0/.well-known/openid-configuration", base.trim_end_matches("/v2.0"))
}

/// What `iss` of a tenant's tokens may say: version 2 as in its metadata, version 1 of Entra ID, and version 1
/// of an issuer that keeps its own name there. `{tenantid}` stays what it is.
pub fn issuers_of_metadata(issuer: &str) -> Vec<String> {
    let base = issuer.trim_end_matches('/').trim_end_matches("/v2.0");
    let tenant = base.rsplit('/').next().unwrap_or_default();
    vec![issuer.to_owned(), format!("https://sts.windows.net/{tenant}/"), format!("{base}/")]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenants_are_names_or_urls() {
        let expected = "https://login.test/t/v2.0/.well-known/openid-configuration";
        for (authority, tenant) in [
            ("https://login.test", "t"),
            ("login.test", "t"),
            ("https://login.test/", " t "),
            ("x", "https://login.test/t"),
            ("x", "https://login.test/t/v2.0"),
            ("x", "https://login.test/t/v2.0/"),
        ] {
            assert_eq!(metadata(authority, tenant), expected, "{authority} {tenant}");
        }
    }

    #[test]
    fn both_versions_of_a_tenants_issuer_are_allowed() {
        let expected = ["https://login.test/t/v2.0", "https://sts.windows.net/t/", "https://login.test/t/"];
        assert_eq!(issuers_of_metadata("https://login.test/t/v2.0"), expected);
        assert!(issuers_of_metadata("https://login.test/{tenantid}/v2.0")[1].contains("{tenantid}"));
    }
}
