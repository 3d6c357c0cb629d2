//! The prompt: its tokens, and what home says of it without showing it.

use comity_protocol::{
    id::Digest,
    manifest::Manifest,
    receipt::SystemPrompt,
    request::{ChatMessage, Prompt},
};

use super::{GenerateError, HomeModel};

/// Role of messages that are a system prompt.
const SYSTEM: &str = "system";

/// How a prompt was made of what the client sent.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::sessions) struct Rendered {
    /// Who put a system prompt before it.
    pub(in crate::sessions) by: SystemPrompt,
    /// The client's system messages, joined by line feeds.
    pub(in crate::sessions) system: String,
    /// Digest of the template rendered.
    pub(in crate::sessions) template: Option<Digest>,
}

impl Rendered {
    pub(super) fn of(prompt: &Prompt, manifest: &Manifest) -> Self {
        let Prompt::Chat(messages) = prompt else {
            return Self { by: SystemPrompt::None, system: String::new(), template: None };
        };
        let system: Vec<&str> = messages
            .iter()
            .filter(|message| message.role == SYSTEM)
            .map(|message| message.content.as_str())
            .collect();
        let by = if system.is_empty() { SystemPrompt::Template } else { SystemPrompt::Client };
        Self { by, system: system.join("\n"), template: Some(manifest.chat_template) }
    }
}

/// Tokenizes off the async threads: megabytes of text take a while.
pub(super) async fn tokenize(model: HomeModel, prompt: Prompt) -> Result<Vec<u32>, GenerateError> {
    let tokens = tokio::task::spawn_blocking(move || match prompt {
        Prompt::Raw(text) => model.tokenizer.encode_prompt(&text),
        Prompt::Chat(messages) => {
            let message = |message: ChatMessage| comity_shard::ChatMessage {
                role: message.role,
                content: message.content,
            };
            let messages: Vec<_> = messages.into_iter().map(message).collect();
            model.tokenizer.encode_chat(&messages)
        }
    });
    let tokens = tokens.await.map_err(|_| GenerateError::Shutdown)??;
    if tokens.is_empty() {
        return Err(GenerateError::EmptyPrompt);
    }
    Ok(tokens)
}

#[cfg(test)]
mod tests;
