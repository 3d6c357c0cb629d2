//! What home says of a prompt.

use super::*;

fn manifest() -> Manifest {
    Manifest {
        name: "test".into(),
        architecture: "test".into(),
        block_count: 0,
        hidden_size: 1,
        vocab_size: 1,
        context_length: 1,
        embed: Digest::ZERO,
        blocks: Vec::new(),
        head: Digest::ZERO,
        tokenizer: Digest::ZERO,
        chat_template: Digest::of(b"template"),
        config: Digest::ZERO,
        active_parameters: Vec::new(),
    }
}

#[test]
fn who_put_a_system_prompt_is_said_and_what_the_client_put_there() {
    let chat = |messages: &[(&str, &str)]| {
        let messages = messages.iter().map(|(role, content)| ChatMessage {
            role: (*role).into(),
            content: (*content).into(),
        });
        let rendered = Rendered::of(&Prompt::Chat(messages.collect()), &manifest());
        assert_eq!(rendered.template, Some(Digest::of(b"template")));
        (rendered.by, rendered.system)
    };
    assert_eq!(chat(&[("user", "system")]), (SystemPrompt::Template, String::new()));
    assert_eq!(chat(&[("system", ""), ("user", "a")]), (SystemPrompt::Client, String::new()));
    let twice = [("system", "be brief"), ("user", "a"), ("system", "be kind")];
    assert_eq!(chat(&twice), (SystemPrompt::Client, "be brief\nbe kind".into()));
    let raw = Rendered::of(&Prompt::Raw("system".into()), &manifest());
    assert_eq!(raw, Rendered { by: SystemPrompt::None, system: String::new(), template: None });
}
