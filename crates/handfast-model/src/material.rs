//! Secret values in memory, by reference: what role compilers get beside the graph.
//!
//! Cloning is O(1), so the material of one compile is a consistent picture. Vault values are kept under
//! the URL that a document names them with; the binary fills them after asking whether the consumer's
//! identity may read them.

use crate::resource::Resource;
use crate::secret::SecretRef;
use handfast_core::Secret;
use std::sync::Arc;

type Value = Arc<Secret<Vec<u8>>>;

/// Secret values by [`SecretRef`] and by vault URL.
#[derive(Clone, Default)]
pub struct Material {
    secrets: imbl::HashMap<String, (u64, Value)>,
    vault: imbl::HashMap<String, (String, Value)>,
}

impl Material {
    /// Nothing known.
    pub fn new() -> Self {
        Self::default()
    }

    /// Stores a value; an older version of the same name is forgotten.
    pub fn insert(&mut self, reference: &SecretRef, value: Secret<Vec<u8>>) {
        self.secrets.insert(reference.name().to_owned(), (reference.version(), Arc::new(value)));
    }

    /// Stores many values.
    pub fn extend<'a>(&mut self, secrets: impl IntoIterator<Item = &'a (SecretRef, Secret<Vec<u8>>)>) {
        secrets.into_iter().for_each(|(reference, value)| self.insert(reference, value.clone()));
    }

    /// Forgets a value, if that version is the known one.
    pub fn remove(&mut self, reference: &SecretRef) {
        if self.get(reference).is_some() {
            self.secrets.remove(reference.name());
        }
    }

    /// The value of exactly that version.
    pub fn get(&self, reference: &SecretRef) -> Option<&Secret<Vec<u8>>> {
        let (version, value) = self.secrets.get(reference.name())?;
        (*version == reference.version()).then_some(&**value)
    }

    /// The value that a document holds at a JSON pointer, such as `/properties/data`.
    pub fn secret_at(&self, resource: &Resource, pointer: &str) -> Option<&Secret<Vec<u8>>> {
        self.get(&resource.secret_ref(pointer)?)
    }

    /// Stores the current value behind a vault URL, with the vault's own version.
    pub fn insert_vault(&mut self, url: &str, version: impl Into<String>, value: Secret<Vec<u8>>) {
        self.vault.insert(vault_key(url), (version.into(), Arc::new(value)));
    }

    /// Version and value behind a vault URL as it stands in a document.
    pub fn vault(&self, url: &str) -> Option<(&str, &Secret<Vec<u8>>)> {
        self.vault.get(&vault_key(url)).map(|(version, value)| (version.as_str(), &**value))
    }

    /// The number of secrets known by reference.
    pub fn len(&self) -> usize {
        self.secrets.len()
    }

    /// Whether no secret is known by reference.
    pub fn is_empty(&self) -> bool {
        self.secrets.is_empty()
    }
}

fn vault_key(url: &str) -> String {
    url.trim_end_matches('/').to_lowercase()
}

impl std::fmt::Debug for Material {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Material({} secrets, {} vault values)", self.secrets.len(), self.vault.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_stored_version_is_returned() {
        let (one, two) = (SecretRef::new("a", 1), SecretRef::new("a", 2));
        let mut material = Material::new();
        material.insert(&one, Secret::new(b"x".to_vec()));
        material.insert(&two, Secret::new(b"y".to_vec()));
        assert!(material.get(&one).is_none());
        assert!(material.get(&two).unwrap().equals(b"y"));
        material.remove(&one);
        assert_eq!(material.len(), 1);
    }

    #[test]
    fn vault_urls_compare_without_case_and_trailing_slash() {
        let mut material = Material::new();
        material.insert_vault("https://V.test/secrets/a/", "1", Secret::new(b"x".to_vec()));
        assert_eq!(material.vault("https://v.test/secrets/A").unwrap().0, "1");
    }
}
