//! The messages of AESM's protocol that concern quotes, with the numbers that Intel's definition gives them.
//!
//! Every field is optional here, also those that must be there: what is missing is a fault with a name of its own then,
//! and not a zero, which would mean success.

/// What a client asks: exactly one of these.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Request {
    #[prost(message, optional, tag = "15")]
    pub(crate) init_quote_ex: Option<InitQuoteExRequest>,
    #[prost(message, optional, tag = "16")]
    pub(crate) get_quote_size_ex: Option<GetQuoteSizeExRequest>,
    #[prost(message, optional, tag = "17")]
    pub(crate) get_quote_ex: Option<GetQuoteExRequest>,
    #[prost(message, optional, tag = "21")]
    pub(crate) get_supported_att_key_id_num: Option<GetSupportedAttKeyIdNumRequest>,
    #[prost(message, optional, tag = "22")]
    pub(crate) get_supported_att_key_ids: Option<GetSupportedAttKeyIdsRequest>,
}

/// What the service answers: the one that belongs to the request, or that it knows no such request.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Response {
    #[prost(message, optional, tag = "15")]
    pub(crate) init_quote_ex: Option<InitQuoteExResponse>,
    #[prost(message, optional, tag = "16")]
    pub(crate) get_quote_size_ex: Option<GetQuoteSizeExResponse>,
    #[prost(message, optional, tag = "17")]
    pub(crate) get_quote_ex: Option<GetQuoteExResponse>,
    #[prost(message, optional, tag = "20")]
    pub(crate) unsupported_request: Option<UnsupportedRequestResponse>,
    #[prost(message, optional, tag = "21")]
    pub(crate) get_supported_att_key_id_num: Option<GetSupportedAttKeyIdNumResponse>,
    #[prost(message, optional, tag = "22")]
    pub(crate) get_supported_att_key_ids: Option<GetSupportedAttKeyIdsResponse>,
}

/// Makes the key ready, and asks who quotes with it.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct InitQuoteExRequest {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub(crate) att_key_id: Option<Vec<u8>>,
    /// Whether the identity of the public key is wanted as well.
    #[prost(bool, optional, tag = "3")]
    pub(crate) b_pub_key_id: Option<bool>,
    #[prost(uint64, optional, tag = "4")]
    pub(crate) buf_size: Option<u64>,
    /// Microseconds.
    #[prost(uint32, optional, tag = "9")]
    pub(crate) timeout: Option<u32>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct InitQuoteExResponse {
    #[prost(uint32, optional, tag = "1")]
    pub(crate) error_code: Option<u32>,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub(crate) target_info: Option<Vec<u8>>,
    #[prost(uint64, optional, tag = "3")]
    pub(crate) pub_key_id_size: Option<u64>,
    #[prost(bytes = "vec", optional, tag = "4")]
    pub(crate) pub_key_id: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct GetQuoteSizeExRequest {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub(crate) att_key_id: Option<Vec<u8>>,
    /// Microseconds.
    #[prost(uint32, optional, tag = "9")]
    pub(crate) timeout: Option<u32>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct GetQuoteSizeExResponse {
    #[prost(uint32, optional, tag = "1")]
    pub(crate) error_code: Option<u32>,
    #[prost(uint32, optional, tag = "2")]
    pub(crate) quote_size: Option<u32>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct GetQuoteExRequest {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub(crate) report: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub(crate) att_key_id: Option<Vec<u8>>,
    /// A nonce of 16 bytes, the TARGETINFO of whoever wants to check the quoting enclave, and room for a REPORT.
    #[prost(bytes = "vec", optional, tag = "3")]
    pub(crate) qe_report_info: Option<Vec<u8>>,
    #[prost(uint32, optional, tag = "4")]
    pub(crate) buf_size: Option<u32>,
    /// Microseconds.
    #[prost(uint32, optional, tag = "9")]
    pub(crate) timeout: Option<u32>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct GetQuoteExResponse {
    #[prost(uint32, optional, tag = "1")]
    pub(crate) error_code: Option<u32>,
    /// As long as `buf_size`; the quote is at its start.
    #[prost(bytes = "vec", optional, tag = "2")]
    pub(crate) quote: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "3")]
    pub(crate) qe_report_info: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct UnsupportedRequestResponse {
    #[prost(uint32, optional, tag = "1")]
    pub(crate) error_code: Option<u32>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct GetSupportedAttKeyIdNumRequest {
    /// Microseconds.
    #[prost(uint32, optional, tag = "9")]
    pub(crate) timeout: Option<u32>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct GetSupportedAttKeyIdNumResponse {
    #[prost(uint32, optional, tag = "1")]
    pub(crate) error_code: Option<u32>,
    #[prost(uint32, optional, tag = "2")]
    pub(crate) att_key_id_num: Option<u32>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct GetSupportedAttKeyIdsRequest {
    #[prost(uint32, optional, tag = "1")]
    pub(crate) buf_size: Option<u32>,
    /// Microseconds.
    #[prost(uint32, optional, tag = "9")]
    pub(crate) timeout: Option<u32>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct GetSupportedAttKeyIdsResponse {
    #[prost(uint32, optional, tag = "1")]
    pub(crate) error_code: Option<u32>,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub(crate) att_key_ids: Option<Vec<u8>>,
}

/// Length of the identity of an attestation key (`sgx_att_key_id_ext_t`).
pub(crate) const KEY_ID_LEN: usize = 256;

/// Where the algorithm stands in it.
pub(crate) const ALGORITHM_OFFSET: usize = 154;

/// ECDSA with P-256 and SHA-256, in the numbers of `sgx_ql_attestation_algorithm_id_t`.
pub(crate) const ECDSA_P256: u32 = 2;

/// Length of `qe_report_info`: a nonce, a TARGETINFO, a REPORT.
pub(crate) const QE_REPORT_INFO_LEN: usize = 16 + 512 + 432;

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;

    /// Written down by hand from Intel's definition and the encoding of Protocol Buffers.
    #[test]
    fn messages_have_the_bytes_that_the_definition_gives_them() {
        let request = Request {
            get_quote_ex: Some(GetQuoteExRequest {
                report: Some(vec![0xaa]),
                att_key_id: Some(vec![0xbb, 0xcc]),
                qe_report_info: None,
                buf_size: Some(300),
                timeout: Some(1),
            }),
            ..Request::default()
        };
        let bytes = [
            0x8a, 0x01, 12, // field 17, a message of 12 bytes
            0x0a, 1, 0xaa, // field 1
            0x12, 2, 0xbb, 0xcc, // field 2
            0x20, 0xac, 0x02, // field 4
            0x48, 1, // field 9
        ];
        assert_eq!(request.encode_to_vec(), bytes);
        assert_eq!(Request::decode(&bytes[..]).unwrap(), request);
        let response = [0xaa, 0x01, 4, 0x08, 0, 0x10, 2];
        let num = Response::decode(&response[..])
            .unwrap()
            .get_supported_att_key_id_num;
        let num = num.unwrap();
        assert_eq!((num.error_code, num.att_key_id_num), (Some(0), Some(2)));
    }

    #[test]
    fn fields_of_other_services_are_passed_over() {
        let launch_token = [0x1a, 2, 0x08, 1];
        assert_eq!(
            Response::decode(&launch_token[..]).unwrap(),
            Response::default()
        );
    }
}
