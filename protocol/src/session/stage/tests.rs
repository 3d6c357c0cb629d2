//! Tests of the stage machine.
