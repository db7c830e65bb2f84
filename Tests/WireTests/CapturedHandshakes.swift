import Wire

/// Handshakes as other programs write them: libtorrent 2.0.8, aria2 1.36.0 and transmission-cli 3.00
/// (Debian 12), captured on the loopback with
/// `interop/libtorrent/capture_peer_messages.py libtorrent seed`, `… aria2 seed` and
/// `… transmission seed`.
let capturedHandshakes: [(features: PeerFeatures, infohash: String, peerID: String, hex: String)] =
  [
    (
      [.dht, .fast, .extensions], "05c61e8b8f56c62cae6d2bb744a455c0ea62a9bf", "-LT2080-",
      "13426974546f7272656e742070726f746f636f6c000000000010000505c61e8b8f56c62cae6d2bb7"
        + "44a455c0ea62a9bf2d4c54323038302d43564f737948615276334234"
    ),
    (
      [.fast, .extensions], "05c61e8b8f56c62cae6d2bb744a455c0ea62a9bf", "A2-1-36-",
      "13426974546f7272656e742070726f746f636f6c000000000010000405c61e8b8f56c62cae6d2bb7"
        + "44a455c0ea62a9bf41322d312d33362d302d2e4dae603f5e45261bcd"
    ),
    (
      [.fast, .extensions], "05c61e8b8f56c62cae6d2bb744a455c0ea62a9bf", "-TR3000-",
      "13426974546f7272656e742070726f746f636f6c000000000010000405c61e8b8f56c62cae6d2bb7"
        + "44a455c0ea62a9bf2d5452333030302d6e69777633356a7077786c61"
    ),
  ]
