//! What a turn carries.

use super::*;

#[test]
fn each_turn_carries_the_whole_conversation() {
    let mut history = History::Chat(vec![message("system", "Be brief.")]);
    assert!(history.ask("Hi"));
    history.answer("Hello.");
    assert!(history.ask("Bye"));
    let Prompt::Chat(messages) = history.prompt() else { panic!("a chat stays a chat") };
    let turns: Vec<_> = messages.iter().map(|m| (m.role.as_str(), m.content.as_str())).collect();
    let expected =
        [("system", "Be brief."), ("user", "Hi"), ("assistant", "Hello."), ("user", "Bye")];
    assert_eq!(turns, expected);
}

#[test]
fn full_conversation_takes_no_more_questions() {
    let mut history = History::Chat(vec![message("user", "x"); MESSAGES_MAX - 1]);
    assert!(!history.ask("one more"));
}
