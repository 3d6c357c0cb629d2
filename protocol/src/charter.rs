//! The rules of a consortium and the signatures that make them valid. Not its members' nodes.
