//! Who is calling, and may they: SigV4 signatures, credentials, and the rights of whom they belong to.
//!
//! A [`Claim`] is what the head of a request says about its caller; [`Claim::verify`] proves it once the body is there.
//! A [`Credential`] carries an [`Identity`], whose rights decide about an [`Asked`], together with the policy of what is asked
//! for ([`policy::decide`]). Everything that fails is a [`Refusal`], in AWS's words. Neither a clock nor a list of credentials lives here: both are handed in.

mod asked;
mod canonical;
mod chunks;
mod claim;
mod credential;
pub mod policy;
mod refusal;
mod rights;
mod sign;
mod temporary;
mod time;

pub use asked::{Asked, Resource};
pub use chunks::{ChunkSigner, SignedPayload};
pub use claim::{Claim, Expected};
pub use credential::{Caller, Credential, Credentials, Identity, Own, Secret};
pub use refusal::{Protocol, Refusal};
pub use rights::{Right, RightError};
pub use sign::{ToSign, authorization};
pub use temporary::{MasterKey, Temporary};
