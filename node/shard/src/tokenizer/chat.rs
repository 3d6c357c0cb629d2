//! Chat templates in a sandbox: no files, no clock, bounded steps and output.
//!
//! Source: the Jinja dialect of published chat templates (`raise_exception`, Python's string
//! methods, trimmed blocks).

use std::io::{self, Write};

use minijinja::{Environment, ErrorKind, Value, context, syntax::SyntaxConfig};

/// Steps a rendering may take; a long conversation takes some ten thousand.
const FUEL: u64 = 5_000_000;
/// Nested calls a template may make; templates in the wild nest below ten.
const RECURSION_MAX: usize = 64;
/// Bytes a rendering may produce, above the largest request with its template's text.
const OUTPUT_BYTES_MAX: usize = 8 << 20;
/// Name of the one template of the environment.
const NAME: &str = "chat";

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatMessage {
    /// Who speaks: `system`, `user` or `assistant`.
    pub role: String,
    /// What is said.
    pub content: String,
}

/// Why a conversation was not rendered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RenderError {
    /// The model has no chat template: it is no chat model.
    #[error("the model has no chat template")]
    NoTemplate,
    /// The template refused the messages, failed, or ran too long.
    #[error("the chat template failed")]
    Template(#[source] Box<minijinja::Error>),
    /// The rendering is too long.
    #[error("the rendered chat passes the limit of {OUTPUT_BYTES_MAX} bytes")]
    TooLong,
    /// Every character that could guard control tokens occurs in the messages.
    #[error("the messages use every noncharacter of Unicode's block FDD0 to FDEF")]
    NoGuard,
}

/// A compiled chat template.
#[derive(Debug)]
pub(super) struct Template {
    environment: Environment<'static>,
    source: String,
    bos: String,
    eos: String,
}

impl Template {
    pub(super) fn new(source: &str, bos: String, eos: String) -> Result<Self, minijinja::Error> {
        let mut environment = Environment::new();
        environment.set_fuel(Some(FUEL));
        environment.set_recursion_limit(RECURSION_MAX);
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?;
        environment.set_syntax(syntax);
        environment
            .set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", |message: String| -> Result<Value, _> {
            Err(minijinja::Error::new(ErrorKind::InvalidOperation, message))
        });
        environment.add_template_owned(NAME, source.to_owned())?;
        Ok(Self { environment, source: source.to_owned(), bos, eos })
    }

    pub(super) fn render(
        &self,
        messages: &[ChatMessage],
        add_generation_prompt: bool,
    ) -> Result<String, RenderError> {
        let refused = |error| RenderError::Template(Box::new(error));
        let template = self.environment.get_template(NAME).map_err(refused)?;
        let messages: Vec<_> = messages
            .iter()
            .map(|message| context! { role => message.role.as_str(), content => message.content.as_str() })
            .collect();
        let values = context! {
            messages,
            add_generation_prompt,
            bos_token => self.bos.as_str(),
            eos_token => self.eos.as_str(),
        };
        let mut output = Bounded::default();
        let rendered = template.render_captured_to(values, &mut output);
        if output.full {
            return Err(RenderError::TooLong);
        }
        rendered.map_err(refused)?;
        Ok(String::from_utf8_lossy(&output.bytes).into_owned())
    }

    /// A character that occurs neither in the messages nor in the template.
    pub(super) fn guard(&self, messages: &[ChatMessage]) -> Result<char, RenderError> {
        let used = |guard: char| {
            let inside = |message: &ChatMessage| {
                message.role.contains(guard) || message.content.contains(guard)
            };
            self.source.contains(guard) || messages.iter().any(inside)
        };
        ('\u{fdd0}'..='\u{fdef}').find(|&guard| !used(guard)).ok_or(RenderError::NoGuard)
    }
}

/// Output that refuses to grow past its limit.
#[derive(Default)]
struct Bounded {
    bytes: Vec<u8>,
    full: bool,
}

impl Write for Bounded {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + buffer.len() > OUTPUT_BYTES_MAX {
            self.full = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(buffer);
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
