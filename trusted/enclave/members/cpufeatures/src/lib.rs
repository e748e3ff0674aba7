//! Which instructions the processor has: those that the image is built for.

#![no_std]
#![forbid(unsafe_code)]

/// Makes a module that tells whether all these features are there.
#[macro_export]
macro_rules! new {
    ($module:ident, $($feature:tt),+ $(,)?) => {
        mod $module {
            /// What those who ask once and look often keep.
            #[derive(Clone, Copy, Debug)]
            pub struct InitToken(());

            impl InitToken {
                /// The token.
                #[inline(always)]
                pub fn init() -> Self {
                    Self(())
                }

                /// The token and the answer.
                #[inline(always)]
                pub fn init_get() -> (Self, bool) {
                    init_get()
                }

                /// The answer.
                #[inline(always)]
                pub fn get(&self) -> bool {
                    get()
                }
            }

            /// The token and the answer.
            #[inline(always)]
            pub fn init_get() -> (InitToken, bool) {
                (InitToken(()), get())
            }

            /// The token.
            #[inline(always)]
            pub fn init() -> InitToken {
                InitToken(())
            }

            /// The answer.
            #[inline(always)]
            pub fn get() -> bool {
                cfg!(all($(target_feature = $feature),+))
            }
        }
    };
}
