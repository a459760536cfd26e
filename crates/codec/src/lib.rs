//! Order-preserving keys, tagged records, and the byte sequences of scan and exec.
#![forbid(unsafe_code)]
