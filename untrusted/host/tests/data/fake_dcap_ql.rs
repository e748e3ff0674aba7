//! Stands for Intel's quoting library in tests. `refusing`: it has neither enclave nor certificate; `lying`: its quotes
//! are longer than any.

type Report = [u8; 432];

#[unsafe(no_mangle)]
unsafe extern "C" fn sgx_qe_get_target_info(target: *mut [u8; 512]) -> u32 {
    if cfg!(refusing) {
        return 0xE016;
    }
    assert_eq!(target.addr() % 512, 0);
    // SAFETY: the caller passes a TARGETINFO.
    unsafe { target.write([0x7a; 512]) };
    0
}

#[unsafe(no_mangle)]
unsafe extern "C" fn sgx_qe_get_quote_size(size: *mut u32) -> u32 {
    if cfg!(refusing) {
        return 0xE011;
    }
    // SAFETY: the caller passes an integer.
    unsafe { size.write(if cfg!(lying) { u32::MAX } else { 600 }) };
    0
}

#[unsafe(no_mangle)]
unsafe extern "C" fn sgx_qe_get_quote(report: *const Report, size: u32, quote: *mut u8) -> u32 {
    assert_eq!(report.addr() % 512, 0);
    // SAFETY: the caller passes a REPORT.
    let report = unsafe { report.read() };
    let mut bytes = [0; 600];
    assert_eq!(size, 600);
    bytes[48..432].copy_from_slice(&report[..384]);
    bytes[432..436].copy_from_slice(&100_u32.to_le_bytes());
    bytes[436..536].fill(0x3b);
    // SAFETY: the caller passes as much room as it says.
    unsafe { quote.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
    0
}
