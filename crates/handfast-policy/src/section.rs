//! Sections and scopes of policy documents, and the sets of them that a policy is legal in.

/// One of the four sections of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Section {
    /// Before the backend; policies act on the request.
    Inbound,
    /// The exchange with the backend.
    Backend,
    /// After the backend; policies act on the response.
    Outbound,
    /// After an error in any of the others; policies act on the prepared error response.
    OnError,
}

impl Section {
    /// All sections in canonical order.
    pub const ALL: [Self; 4] = [Self::Inbound, Self::Backend, Self::Outbound, Self::OnError];

    /// The element name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Backend => "backend",
            Self::Outbound => "outbound",
            Self::OnError => "on-error",
        }
    }

    /// Reads an element name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|section| section.as_str() == name)
    }

    /// Whether header, body and status policies of this section act on the response.
    pub fn is_response_side(self) -> bool {
        matches!(self, Self::Outbound | Self::OnError)
    }
}

/// Where a document is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// All APIs.
    Global,
    /// A workspace.
    Workspace,
    /// A product.
    Product,
    /// An API revision.
    Api,
    /// An operation.
    Operation,
}

impl Scope {
    /// All scopes, widest first.
    pub const ALL: [Self; 5] = [Self::Global, Self::Workspace, Self::Product, Self::Api, Self::Operation];

    /// The word that `context.LastError.Scope` and traces show.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::Workspace => "workspace",
            Self::Product => "product",
            Self::Api => "api",
            Self::Operation => "operation",
        }
    }

    /// Reads that word.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == name)
    }
}

/// A set of sections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sections(u8);

impl Sections {
    /// The set of the given sections.
    pub const fn of(sections: &[Section]) -> Self {
        let (mut bits, mut index) = (0, 0);
        while index < sections.len() {
            bits |= 1 << sections[index] as u8;
            index += 1;
        }
        Self(bits)
    }

    /// Whether the section is in the set.
    pub fn contains(self, section: Section) -> bool {
        self.0 & (1 << section as u8) != 0
    }
}

/// A set of scopes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scopes {
    /// Every scope.
    pub const ALL: Self = Self(0b1_1111);

    /// The set of the given scopes.
    pub const fn of(scopes: &[Scope]) -> Self {
        let (mut bits, mut index) = (0, 0);
        while index < scopes.len() {
            bits |= 1 << scopes[index] as u8;
            index += 1;
        }
        Self(bits)
    }

    /// Whether the scope is in the set.
    pub fn contains(self, scope: Scope) -> bool {
        self.0 & (1 << scope as u8) != 0
    }
}
