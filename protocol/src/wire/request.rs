//! Encoding of the client plane.

use super::{DecodeError, bytes, id, list, pb, required, short, text, wire, within};
use crate::{
    limits::{
        BUNDLE_BYTES_MAX, EVENT_BYTES_MAX, MESSAGES_MAX, NAME_BYTES_MAX, NONCE_BYTES_MAX,
        POSITIONS_MAX, REQUEST_BYTES_MAX, STAGES_MAX, TEXT_BYTES_MAX,
    },
    policy::Policy,
    request::{
        ChatMessage, ClientEvent, ClientRequest, Finished, Generate, Prompt, Refused, RequestKind,
        StageInfo, Started, Token,
    },
};

wire!(ClientRequest, pb::ClientRequest, REQUEST_BYTES_MAX);
wire!(ClientEvent, pb::ClientEvent, EVENT_BYTES_MAX);

impl From<&ClientRequest> for pb::ClientRequest {
    fn from(request: &ClientRequest) -> Self {
        use pb::client_request::Kind;
        let kind = match &request.kind {
            RequestKind::Generate(generate) => Kind::Generate(generate.into()),
            RequestKind::Status => Kind::Status(pb::StatusRequest {}),
        };
        Self { kind: Some(kind), token: request.token.clone() }
    }
}

impl TryFrom<pb::ClientRequest> for ClientRequest {
    type Error = DecodeError;

    fn try_from(pb: pb::ClientRequest) -> Result<Self, DecodeError> {
        use pb::client_request::Kind;
        let kind = match required(pb.kind, "request.kind")? {
            Kind::Generate(generate) => RequestKind::Generate(generate.try_into()?),
            Kind::Status(pb::StatusRequest {}) => RequestKind::Status,
        };
        Ok(Self { kind, token: short(pb.token, NAME_BYTES_MAX, "request.token")? })
    }
}

impl From<&Generate> for pb::Generate {
    fn from(generate: &Generate) -> Self {
        let (messages, raw) = match &generate.prompt {
            Prompt::Chat(messages) => (messages.as_slice(), String::new()),
            Prompt::Raw(text) => (&[][..], text.clone()),
        };
        let message =
            |m: &ChatMessage| pb::ChatMessage { role: m.role.clone(), content: m.content.clone() };
        Self {
            model: generate.model.clone(),
            messages: messages.iter().map(message).collect(),
            raw,
            sampling: Some((&generate.sampling).into()),
            policy: generate.policy.clone(),
            nonce: generate.nonce.clone(),
            stages_min: generate.stages_min,
            rules: generate.rules.as_deref().map(Into::into),
        }
    }
}

impl TryFrom<pb::Generate> for Generate {
    type Error = DecodeError;

    fn try_from(pb: pb::Generate) -> Result<Self, DecodeError> {
        let messages = list(pb.messages, MESSAGES_MAX, "messages")?;
        let prompt = match (messages.is_empty(), pb.raw.is_empty()) {
            (true, false) => Prompt::Raw(pb.raw),
            (false, true) => Prompt::Chat(
                messages
                    .into_iter()
                    .map(|m| {
                        let role = text(m.role, 32, "messages.role")?;
                        Ok(ChatMessage { role, content: m.content })
                    })
                    .collect::<Result<_, DecodeError>>()?,
            ),
            _ => return Err(DecodeError::field("messages", "either messages or raw is required")),
        };
        if pb.nonce.len() > NONCE_BYTES_MAX {
            return Err(DecodeError::field("nonce", "too long"));
        }
        Ok(Self {
            model: text(pb.model, 128, "model")?,
            prompt,
            sampling: required(pb.sampling, "sampling")?.try_into()?,
            policy: short(pb.policy, NAME_BYTES_MAX, "policy")?,
            nonce: pb.nonce,
            stages_min: within(pb.stages_min, 0, 64, "stages_min")?,
            rules: pb.rules.map(Policy::try_from).transpose()?.map(Box::new),
        })
    }
}

impl From<&ClientEvent> for pb::ClientEvent {
    fn from(event: &ClientEvent) -> Self {
        use pb::client_event::Kind;
        let kind = match event {
            ClientEvent::Started(started) => Kind::Started(started.into()),
            ClientEvent::Token(token) => Kind::Token(pb::Token {
                id: token.id,
                text: token.text.clone(),
                position: token.position,
            }),
            ClientEvent::Finished(finished) => Kind::Finished(finished.into()),
            ClientEvent::Refused(refused) => Kind::Refused(pb::Refused {
                cause: i32::from(refused.cause.code()),
                detail: refused.detail.clone(),
            }),
            ClientEvent::Status(json) => Kind::Status(pb::StatusReply { json: json.clone() }),
        };
        Self { kind: Some(kind) }
    }
}

impl TryFrom<pb::ClientEvent> for ClientEvent {
    type Error = DecodeError;

    fn try_from(pb: pb::ClientEvent) -> Result<Self, DecodeError> {
        use pb::client_event::Kind;
        Ok(match required(pb.kind, "event.kind")? {
            Kind::Started(started) => Self::Started(started.try_into()?),
            Kind::Token(token) => {
                Self::Token(Token { id: token.id, text: token.text, position: token.position })
            }
            Kind::Finished(finished) => Self::Finished(finished.try_into()?),
            Kind::Refused(refused) => Self::Refused(Refused {
                cause: super::session::cause(refused.cause, "refused.cause")?,
                detail: short(refused.detail, TEXT_BYTES_MAX, "refused.detail")?,
            }),
            Kind::Status(status) => {
                Self::Status(short(status.json, BUNDLE_BYTES_MAX, "status.json")?)
            }
        })
    }
}

impl From<&Started> for pb::Started {
    fn from(started: &Started) -> Self {
        let stage = |stage: &StageInfo| pb::StageInfo {
            institution: stage.institution.clone(),
            peer: bytes(&stage.peer.0),
            jurisdiction: stage.jurisdiction.clone(),
            blocks: Some(stage.blocks.into()),
        };
        Self {
            session: bytes(&started.session.0),
            prompt_tokens: started.prompt_tokens,
            stages: started.stages.iter().map(stage).collect(),
            manifest: bytes(&started.manifest.0),
        }
    }
}

impl TryFrom<pb::Started> for Started {
    type Error = DecodeError;

    fn try_from(pb: pb::Started) -> Result<Self, DecodeError> {
        let stages = list(pb.stages, STAGES_MAX, "started.stages")?;
        let stage = |stage: pb::StageInfo| {
            Ok(StageInfo {
                institution: text(stage.institution, NAME_BYTES_MAX, "stage.institution")?,
                peer: id(&stage.peer, "stage.peer")?,
                jurisdiction: text(stage.jurisdiction, 2, "stage.jurisdiction")?,
                blocks: required(stage.blocks, "stage.blocks")?.try_into()?,
            })
        };
        Ok(Self {
            session: id(&pb.session, "started.session")?,
            prompt_tokens: pb.prompt_tokens,
            stages: stages.into_iter().map(stage).collect::<Result<_, DecodeError>>()?,
            manifest: id(&pb.manifest, "started.manifest")?,
        })
    }
}

impl From<&Finished> for pb::Finished {
    fn from(finished: &Finished) -> Self {
        Self {
            reason: pb::FinishReason::from(finished.reason).into(),
            cause: finished.cause.as_ref().map(Into::into),
            text: finished.text.clone(),
            bundle: finished.bundle.clone(),
            first_token_ns: finished.first_token_ns,
            decode_ns: finished.decode_ns,
            cached_tokens: finished.cached_tokens,
        }
    }
}

impl TryFrom<pb::Finished> for Finished {
    type Error = DecodeError;

    fn try_from(pb: pb::Finished) -> Result<Self, DecodeError> {
        if pb.bundle.len() > BUNDLE_BYTES_MAX {
            return Err(DecodeError::field("finished.bundle", "too long"));
        }
        Ok(Self {
            reason: super::receipt::finish_reason(pb.reason, "finished.reason")?,
            cause: pb.cause.map(TryInto::try_into).transpose()?,
            text: pb.text,
            bundle: pb.bundle,
            first_token_ns: pb.first_token_ns,
            decode_ns: pb.decode_ns,
            cached_tokens: within(pb.cached_tokens, 0, POSITIONS_MAX, "finished.cached_tokens")?,
        })
    }
}
