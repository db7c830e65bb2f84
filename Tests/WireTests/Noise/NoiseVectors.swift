import Testing

/// One row of the public test vectors: what each side has, and what goes over the wire.
struct NoiseVector: Sendable, CustomTestStringConvertible {
  let pattern: String
  let prologue: String
  let preSharedKeys: [String]
  let initiatorStatic: String?
  let responderStatic: String?
  let initiatorEphemeral: String?
  let responderEphemeral: String?
  /// Where the vector has it.
  let hash: String?
  /// Payload and message; the initiator writes the first one, and they take turns.
  let messages: [(payload: String, message: String)]

  init(
    _ pattern: String, prologue: String, preSharedKeys: [String] = [],
    initiatorStatic: String? = nil, responderStatic: String? = nil,
    initiatorEphemeral: String? = nil, responderEphemeral: String? = nil, hash: String? = nil,
    messages: [(payload: String, message: String)]
  ) {
    self.pattern = pattern
    self.prologue = prologue
    self.preSharedKeys = preSharedKeys
    self.initiatorStatic = initiatorStatic
    self.responderStatic = responderStatic
    self.initiatorEphemeral = initiatorEphemeral
    self.responderEphemeral = responderEphemeral
    self.hash = hash
    self.messages = messages
  }

  var testDescription: String { pattern }

  /// From `vectors/cacophony.txt` of haskell-cryptography/cacophony (also `tests/vectors/cacophony.txt` of
  /// mcginty/snow): some of those with the suite `25519_ChaChaPoly_BLAKE2b`.
  static let cacophony: [NoiseVector] = [
    NoiseVector(
      "NN",
      prologue:
        "4a6f686e2047616c74",
      initiatorEphemeral: "893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a",
      responderEphemeral: "bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b",
      hash:
        "25b3d1154146a2e058e4db548e0841992cf33a972d5b85a908e4fb8f14b6d94f4987e17baa330c93dd84"
        + "2d6eda030cd47190c60d7c862574078779aba1302a2e",
      messages: [
        (
          "4c756477696720766f6e204d69736573",
          "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c79444c756477696720766f6e"
            + "204d69736573"
        ),
        (
          "4d757272617920526f746862617264",
          "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f144808843d10cf8ef4ab895bed3e4"
            + "673211f0c9337039d63a450c7b28196b8a0ebade00"
        ),
        (
          "462e20412e20486179656b",
          "e50ec882703a1f34bf4957d8cafd036d34e02930f672f424c676e1"
        ),
        (
          "4361726c204d656e676572",
          "35bb2a728d3e8e5f47781d486089e4a37c5c2e4261256f44569a9f"
        ),
        (
          "4a65616e2d426170746973746520536179",
          "69ee82006e16b79438a34ad9de37ee44d83c267e355750ecf49f194b5c50403030"
        ),
        (
          "457567656e2042f6686d20766f6e2042617765726b",
          "c568b641b01d2f644f2a890538c359915ca50552e55129c029d3721866c2646a7af3fd1eff"
        ),
      ]),
    NoiseVector(
      "NNpsk0",
      prologue:
        "4a6f686e2047616c74",
      preSharedKeys: [
        "54686973206973206d7920417573747269616e20706572737065637469766521"
      ],
      initiatorEphemeral: "893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a",
      responderEphemeral: "bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b",
      hash:
        "ed5e9692d0ab507b6c2beec3f584fd5b127817a9d20b26cd50aa72c507260fa31aa7d88dd3723316338a"
        + "f37ce0b4cfb2923aeb848bbf2b934911306f01ffc963",
      messages: [
        (
          "4c756477696720766f6e204d69736573",
          "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c7944ed63df2f5a12aee1185e"
            + "e9c50305f2ecf12421dcb53c047a63b784cf7c54a105"
        ),
        (
          "4d757272617920526f746862617264",
          "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f1448088430e0fe7d5c0c9b92f7478"
            + "716c8852f1b4f389edb75e3ebe546fafafd5b6f0f7"
        ),
        (
          "462e20412e20486179656b",
          "0fe04b26dcfbb69f8a6a94c61f1a26ef88769218d32f5d17c068a6"
        ),
        (
          "4361726c204d656e676572",
          "2239e0c540c01f09eb1f4cc5258fd5acfefff18a5a3773f21b7bfe"
        ),
        (
          "4a65616e2d426170746973746520536179",
          "f216cb03d30fb8af1e561fe02a07552d09b416e27a75e62c77d193718b0bdaae9f"
        ),
        (
          "457567656e2042f6686d20766f6e2042617765726b",
          "6e8baf98b944184dd7dc5ef14d8108cbeca626de118a5460f3308e294d61e17238bce29bd9"
        ),
      ]),
    NoiseVector(
      "NNpsk2",
      prologue:
        "4a6f686e2047616c74",
      preSharedKeys: [
        "54686973206973206d7920417573747269616e20706572737065637469766521"
      ],
      initiatorEphemeral: "893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a",
      responderEphemeral: "bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b",
      hash:
        "5381ebae5894761a48b4a5ef092fdf9d00d249ae2155e30217948a59be9c27dbaf66873c0cc09ef234c8"
        + "3b313c9648a2f21eb0faf2c2bc36be0d2b59f07cd4d7",
      messages: [
        (
          "4c756477696720766f6e204d69736573",
          "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c7944abfa344c2d805651fdb6"
            + "598f06493df176d69a3db2ad157d22ba10eeda132dc4"
        ),
        (
          "4d757272617920526f746862617264",
          "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f1448088433170318af23100d39526"
            + "e44a7e9075ec4a86024ada2d1c51c9ad4ef7b8af7c"
        ),
        (
          "462e20412e20486179656b",
          "f7ee2affd946ade372cd4120a7824ccc773c8482659fc1604e237b"
        ),
        (
          "4361726c204d656e676572",
          "7e1d42dc8da74909bf92207680f0414b383257cec94922b50dc6be"
        ),
        (
          "4a65616e2d426170746973746520536179",
          "13433e795a6c46ac1a7dc13945288ba789d221f666e3940c994da56aa72c74b209"
        ),
        (
          "457567656e2042f6686d20766f6e2042617765726b",
          "5aa0325dd9907beca5e4e7e5d7adaffa1ba69b9f8b645e2ed048ae34991f3b3795d974b6a4"
        ),
      ]),
    NoiseVector(
      "XX",
      prologue:
        "4a6f686e2047616c74",
      initiatorStatic: "e61ef9919cde45dd5f82166404bd08e38bceb5dfdfded0a34c8df7ed542214d1",
      responderStatic: "4a3acbfdb163dec651dfa3194dece676d437029c62a408b4c5ea9114246e4893",
      initiatorEphemeral: "893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a",
      responderEphemeral: "bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b",
      hash:
        "8cf47d7b3cb5804c0109d48e8bcdbee2cbb65687d8ea2c92994ca361fb86151ad93627b98936cbb32de5"
        + "6e8abb21def3925011ac3e35db9cbeea73ab9a4392c2",
      messages: [
        (
          "4c756477696720766f6e204d69736573",
          "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c79444c756477696720766f6e"
            + "204d69736573"
        ),
        (
          "4d757272617920526f746862617264",
          "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f1448088430505b6745ce64a5f33f0"
            + "e8e3b83f11ce8802bca507f4f2d8b564dbe277e1966116e132faa2dfd70b8b077b9f94b913df5056ae13"
            + "19469b824a98d54bbaa82c325595587064f978c4b6d104f7596e6f"
        ),
        (
          "462e20412e20486179656b",
          "99579e1c1ee15e422a57ddd6b16d37087b17558e8369c18991b4b2ca3a824abf904cdcf5458b5431a75a"
            + "f034ca9e9b982de039eaaf156775e2d580cd4e5ebae89c3f8cb2594b556d8a8169"
        ),
        (
          "4361726c204d656e676572",
          "fc56eea290b3f3a21aac0c70cd5787b5ee99be37d2f4d751329b55"
        ),
        (
          "4a65616e2d426170746973746520536179",
          "bb31c9da10d5639a4cdb88a12f5c61de41bbc7df09bf75d94f8184fe4157f5c68f"
        ),
        (
          "457567656e2042f6686d20766f6e2042617765726b",
          "f6199cadb152fb27f82be0a0891ec76a33598ae92a46cab2fb5a8ed5bf48b7f267f8370af7"
        ),
      ]),
    NoiseVector(
      "XXpsk3",
      prologue:
        "4a6f686e2047616c74",
      preSharedKeys: [
        "54686973206973206d7920417573747269616e20706572737065637469766521"
      ],
      initiatorStatic: "e61ef9919cde45dd5f82166404bd08e38bceb5dfdfded0a34c8df7ed542214d1",
      responderStatic: "4a3acbfdb163dec651dfa3194dece676d437029c62a408b4c5ea9114246e4893",
      initiatorEphemeral: "893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a",
      responderEphemeral: "bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b",
      hash:
        "46b5997dfa51492ae9be5b611748455e83aebdbc2ea3c47d264ec6dd408cc076e962ff056890c60398fe"
        + "3e7a430bbe057f34383a84df9ff99391266dcfd638b0",
      messages: [
        (
          "4c756477696720766f6e204d69736573",
          "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c79440aa831d1e3bbd16bd7ff"
            + "da87e9f7b6eeca2510006499a573ac27af3392ed1b69"
        ),
        (
          "4d757272617920526f746862617264",
          "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f14480884381a78489d56c9e2ac962"
            + "826f25684980b25244dbfd505b7d903a94d4f4fd84004a1c7fbe94d686bc4c1f67259364f6f2a41cb40b"
            + "f5198b9b3975be2cdd49d3e065a554e12c477d82029fabc6555bc1"
        ),
        (
          "462e20412e20486179656b",
          "291dfeff6eff386e29adb0bdbd5a1ae9e09de4449c8695d109adcb63e80e489555792a3e9150eff75d6d"
            + "45571f824ed231173cb66e31e7da914241f86d0cbb678335ffe768a7445d2f5bc1"
        ),
        (
          "4361726c204d656e676572",
          "6579dd60eb5e6a8b29dd60004289f5d3c2f69fcdbf683a869f59a8"
        ),
        (
          "4a65616e2d426170746973746520536179",
          "24715fd39c3c7606e81b26e69e47b54d043d9d87c512f9417bae51ab48ebb17722"
        ),
        (
          "457567656e2042f6686d20766f6e2042617765726b",
          "e49194a013d873712318643acbf0e3851086326bb168c500a766439ff543a7a1e2deb3215c"
        ),
      ]),
    NoiseVector(
      "NK",
      prologue:
        "4a6f686e2047616c74",
      responderStatic: "4a3acbfdb163dec651dfa3194dece676d437029c62a408b4c5ea9114246e4893",
      initiatorEphemeral: "893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a",
      responderEphemeral: "bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b",
      hash:
        "f87aa4eb6416e5b0d2b6e6f0b7bc41f3c5986a5d32d55c08d67cbd412f3ec2fa04d8e358ab95b3bbfab0"
        + "54a140a98eccf4284bb6309b600981d451ecac484932",
      messages: [
        (
          "4c756477696720766f6e204d69736573",
          "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c7944f3041e39b0c8ba56008f"
            + "2d1183fea6ac83564ead0267b0842ec4c521ed1e1407"
        ),
        (
          "4d757272617920526f746862617264",
          "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f1448088432281dcc1835131f305dc"
            + "a14525e15e27d1f32294aa835e40fc18be480c1db9"
        ),
        (
          "462e20412e20486179656b",
          "357e24e9f28ba22080666f7efacc01b2a0a4e358e742aeeff2aaf5"
        ),
        (
          "4361726c204d656e676572",
          "8b23b34ff3169de06a39551e969ca7876cc5122a4acff74bf2ec29"
        ),
        (
          "4a65616e2d426170746973746520536179",
          "5c104779b6f36e59fca73ed94b0ae092eae1d76dd109caf5060aaaedba385d7076"
        ),
        (
          "457567656e2042f6686d20766f6e2042617765726b",
          "34ae0518d0cd3aa641ed372ea94935ceecd87f8c4b422ce21a33d3f6f5493891e3e915d83f"
        ),
      ]),
    NoiseVector(
      "IK",
      prologue:
        "4a6f686e2047616c74",
      initiatorStatic: "e61ef9919cde45dd5f82166404bd08e38bceb5dfdfded0a34c8df7ed542214d1",
      responderStatic: "4a3acbfdb163dec651dfa3194dece676d437029c62a408b4c5ea9114246e4893",
      initiatorEphemeral: "893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a",
      responderEphemeral: "bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b",
      hash:
        "1c8fa891cb414fedba6daa7c6f4ae0a6d98e5f9768cc9cecd27e805614943ee9c8a1b27fbfb76dc19725"
        + "5c8aa69f6b4285c423840b8bedf45e652ca64f797d81",
      messages: [
        (
          "4c756477696720766f6e204d69736573",
          "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c7944ba83a447b38c83e327ad"
            + "936929812f624884847b7831e95e197b2f797088efdd2f88f1db7e1fb0e99c64419097af91cee64e470f"
            + "4b6fcd9298ce0b56fe20f86e13bf70439c538e3602a7127af71a29cc"
        ),
        (
          "4d757272617920526f746862617264",
          "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f1448088439f069b267a06b3de3ecb"
            + "1043bcb098e9af91d9c64748d998c7b47890871571"
        ),
        (
          "462e20412e20486179656b",
          "cd54383060e7a28434cca27fb1cc524cfbabeb18181589df219d07"
        ),
        (
          "4361726c204d656e676572",
          "a856d3bf0246bfc476c655009cd1ed677b8dcc5b349ae8ef2a05f2"
        ),
        (
          "4a65616e2d426170746973746520536179",
          "49063084b2c51f098337cb8a13739ac848f907e67cfb2cc8a8b60586467aa02fc7"
        ),
        (
          "457567656e2042f6686d20766f6e2042617765726b",
          "8b9709d23b47e4639df7678d7a21741eba4ef1e9c60383001c7435549c20f9d56f30e935d3"
        ),
      ]),
    NoiseVector(
      "KKpsk2",
      prologue:
        "4a6f686e2047616c74",
      preSharedKeys: [
        "54686973206973206d7920417573747269616e20706572737065637469766521"
      ],
      initiatorStatic: "e61ef9919cde45dd5f82166404bd08e38bceb5dfdfded0a34c8df7ed542214d1",
      responderStatic: "4a3acbfdb163dec651dfa3194dece676d437029c62a408b4c5ea9114246e4893",
      initiatorEphemeral: "893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a",
      responderEphemeral: "bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b",
      hash:
        "6d8f22f6bc6b7029ef14b2698b0ecdf92f461ea81954a8956e1bd48927d0835db92c2553c8059ce6cbdc"
        + "520b7b7ea1896bff6c949235c071454d66361f4c934d",
      messages: [
        (
          "4c756477696720766f6e204d69736573",
          "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c79448efbe6f1e81b32745bac"
            + "25065b49764fe25a051f2eb2fa45e734098c9323832c"
        ),
        (
          "4d757272617920526f746862617264",
          "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f144808843544bb469ea4910ba3280"
            + "8608a5b369e9afc99b4c93192bf005a08596299cee"
        ),
        (
          "462e20412e20486179656b",
          "d5962c22152dff4a40e026378d827b8c332d5b36b77c66589b30e6"
        ),
        (
          "4361726c204d656e676572",
          "43d35b7f95112418e4acf90169a4925e3e789298638157cc2fb65a"
        ),
        (
          "4a65616e2d426170746973746520536179",
          "89f05cc5beab155ac9c55ceabb5b80b0a04cf8dfbd89e5b22630db97c7fb533a26"
        ),
        (
          "457567656e2042f6686d20766f6e2042617765726b",
          "8fd6bc476d670388d589fda897dc7768214a0a3e5f5442fb429b4abed25101f65e4e3258ca"
        ),
      ]),
    NoiseVector(
      "IXpsk2",
      prologue:
        "4a6f686e2047616c74",
      preSharedKeys: [
        "54686973206973206d7920417573747269616e20706572737065637469766521"
      ],
      initiatorStatic: "e61ef9919cde45dd5f82166404bd08e38bceb5dfdfded0a34c8df7ed542214d1",
      responderStatic: "4a3acbfdb163dec651dfa3194dece676d437029c62a408b4c5ea9114246e4893",
      initiatorEphemeral: "893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a",
      responderEphemeral: "bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b",
      hash:
        "daa574827e5ab1e022c7fecf460b867af505b279fb481c0a693c62adbe5150a0b8ec0e340a21fc948204"
        + "a0929b4a9995508c41234aa27418a604c3a480526e5c",
      messages: [
        (
          "4c756477696720766f6e204d69736573",
          "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c7944728775ed5c824bb1faa1"
            + "7046c14f08b2f626828c198eadbff89add621895514001704158aba43b30c410a45eb8462fcc0075a2c3"
            + "2428d3acce348cbc594a3de964eead831a057f8070aa6e759a65bf5f"
        ),
        (
          "4d757272617920526f746862617264",
          "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f144808843d9bc45934f0a6f6dd2f1"
            + "e2a372eb9d6d7a1b053b821824b9261230c98f8c59a7fa1f29199c21c79662965018e0aa88c27076b437"
            + "79cbffde560ab8b8a4db5f53d303ad02c8db9353130027110da1c6"
        ),
        (
          "462e20412e20486179656b",
          "418a907d6ccc14f732f53041d0f86e065142bb1bf386cd24f73931"
        ),
        (
          "4361726c204d656e676572",
          "4aec50037e7564a543ea2d664c054f035c54d58d0493417cf900ce"
        ),
        (
          "4a65616e2d426170746973746520536179",
          "bd3d66455f787bd8df2d62b1fee2febb00411a5977d475c2c61f9cc6e9dfb78c49"
        ),
        (
          "457567656e2042f6686d20766f6e2042617765726b",
          "e05c12e527a0038a29dd1fa17849d1500d2d034eb59d761c1168a1b49135046f7311f1f487"
        ),
      ]),
    NoiseVector(
      "X",
      prologue:
        "4a6f686e2047616c74",
      initiatorStatic: "e61ef9919cde45dd5f82166404bd08e38bceb5dfdfded0a34c8df7ed542214d1",
      responderStatic: "4a3acbfdb163dec651dfa3194dece676d437029c62a408b4c5ea9114246e4893",
      initiatorEphemeral: "893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a",
      hash:
        "7a08e025835287d37f81c295a0a86f0431e206e5032632d06110df590aa69b08c0f5e6909f199ccfa044"
        + "c1516366b974f3f28102f977d0fac845c6563c7d5314",
      messages: [
        (
          "4c756477696720766f6e204d69736573",
          "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c79446c81e52f35c193f540f8"
            + "53e38ee3ddd5d5ffe3cfa8b0c5b93c9498bd737ca396ca4dfa63e3f4878fa875a480bddfa3c0673aa4ec"
            + "7600b7ea42a1f444512e3c2524c19acd86468bde6b0aaa7dc2fc5069"
        ),
        (
          "4d757272617920526f746862617264",
          "b4e352f51eecbb9552dd7ab7240619d18aea21752d866e8687ac0181c3177a"
        ),
        (
          "462e20412e20486179656b",
          "3bd6fa95f3f6eed5f01e0c02df392a7fd96ff9416c36f7311f947e"
        ),
        (
          "4361726c204d656e676572",
          "8bce3062e9348896691a45e74563a5d57866e0ab39fa8bde2bcfca"
        ),
        (
          "4a65616e2d426170746973746520536179",
          "cc7610aad99dedc9fe14db2ab59dd09c380bb5f2b5999dcc340739f597817b7c67"
        ),
        (
          "457567656e2042f6686d20766f6e2042617765726b",
          "8b6dcbd77c157bc7ada2f28966068d18529725b2d34571415f507e92a6fcd9843a8cccb63b"
        ),
      ]),
  ]

  /// From `tests/vectors/snow.txt` of mcginty/snow: several pre-shared keys in one handshake.
  static let snow: [NoiseVector] = [
    NoiseVector(
      "NNpsk0+psk2",
      prologue:
        "5468657265206973206e6f20726967687420616e642077726f6e672e2054686572652773206f6e6c7920"
        + "66756e20616e6420626f72696e672e",
      preSharedKeys: [
        "703883d888e2f9f940316cea656041875b6c9d7be518af442eb7244f1aa6b543",
        "12abc0c131437322feb4c456776e23cc98d9c5186856fd14c3a5374334cb00d3",
      ],
      initiatorEphemeral: "276704422affea9979c3d5766e2db4788274daf9e1a6d8f39a356da507c44b7d",
      responderEphemeral: "59d5d6948278c3f56054e6647be86e02baa513dd27a82c75c360ed8beb0c4ba2",
      messages: [
        (
          "3306693ed668dbdd187eebb8cd545a3222d2171cf30fc776ea3609e4bb8a0dea",
          "0095701c21b3f16eb4a9c7c609271feef0325ee8d6a4b6d46ddb46ad94bd9659cba5eb3540d7fa62a1ea"
            + "ac7f93492503d7e7c7e3834439c576275d9a3dde5c1355a26c80c522d42e0fef321e64f23a15"
        ),
        (
          "a11c10276304c5512048e546497aa4a852c1d518969776d40b60eca58f296aba",
          "f3619bbc115843033a9de66d569b928abe441bea1d95698f5495069c27cbe551578177bd5217763b8e02"
            + "0f90ed29e0cdce7f3a5c62bf131e6ab42a1e3f54adb579004a035b91d7b1883acd34775de2de"
        ),
        (
          "851ae7342226b66220d77527f5ba04f8af90238f245b29693c1b5a72fa5b66ce",
          "e79fa99e20df2d345f66290835a1ab52e25d3c2dc0c52bb1edf0682aa0a23c83279a454e3c577c587f28"
            + "3c0e2ab49142"
        ),
        (
          "d8bc45bd64e4ad21168cb3702923c64226a232b636887d39aa86ac94424d25e0",
          "bc3626895a8af8c2940e97b9c0c9faea6b6c1f30e1306a38f966cff8fdbe6f1b6aee7f0c5da7f5124d35"
            + "47ef352b744f"
        ),
      ]),
    NoiseVector(
      "XXpsk0+psk1+psk2+psk3",
      prologue:
        "5468657265206973206e6f20726967687420616e642077726f6e672e2054686572652773206f6e6c7920"
        + "66756e20616e6420626f72696e672e",
      preSharedKeys: [
        "c920e3475b8796f40cae28e04f4d5ef5b53ffb069fe1c154c37620b0dd10e65c",
        "f0658a53ace887cef0414551a0c238e4f6fdd00ca9849e8ac24783f4a1e33f01",
        "99853dbc4f0c81f4a5793995f87a6e0831133c47ea2fc654587c595c1c11b0d3",
        "bfdaf54333da3d48f2a8ca04a91b922f1e916b30780d5684c5c408c7c7e28664",
      ],
      initiatorStatic: "88e345952de60adbdf136155184aad057814a7459c9bc266c6c67048cae8b65b",
      responderStatic: "d78263f5c670b63918d42ffb7b66907f86df2854a3e9a61d1199a9329f47cecf",
      initiatorEphemeral: "43b28303b8d579959f64f69c3066c92f61d2fa5c04f33bc0f20f4bcf9f7d4548",
      responderEphemeral: "2f959bfe7f093fc18181dd0066dd0535b0272800a39f6a1962bef664bee373cb",
      messages: [
        (
          "7892c7e5bd999a111a327eef8bc1cee18d94085d3abcfade30237978f3c429d3",
          "8c8248dbaee325b29aacd2e7b3dc2b984021ed61a9d4a74341486e6aa1ddf8544d6ef3e45ad6f6a54b03"
            + "e5aa883f684f8859295bf15bb53f243cde9c0672f11ccdff162f6ff47b5b50bd9325cad4dd4d"
        ),
        (
          "85806d7aec9f3ccd2b37acebef885d31333e62afeac2071bb180db953d44be62",
          "1e9299fe00fe7cd0d3fc0cc5eb75ca1aa8c3b740122a0010493d9516a517972d922925f2f1c0d6d27a37"
            + "8b3972922b52c1914d41891db4dc3e9a664d8177ba896efb3807a01bb993bde4f05a8031e9a6a847fbc4"
            + "f650a46508d29e3d69fc770267698c625a7c559ce0519853eb1775c6e5d096192363de5547c6e0844e0a"
            + "b6b2"
        ),
        (
          "10ec396f7833a1b353056f7d2bfbedf8709e4bb08707fc1c5cd457d91476be15",
          "62802109a09aef83b2c72b79043cf4209d72d09ad305885beb3686dabe721e43b5d46212160a747f2734"
            + "08d25ea8ad4598f61f80c9014473bbce785f38d4dd41deb7b6cdba80f8865cd29acdc179eeecda234485"
            + "aa07d2fbb2e99468df840d00"
        ),
        (
          "ebb97bcf7f31ec5b6de10344d530a9a5035a45702e09708480fd2562f61dc668",
          "1462943efb0d2eeaee4910647f376368d7fb81b875deb554a7dd5dfa9ebe22d539bb4342060899d05399"
            + "f9253a368e70"
        ),
        (
          "2f798482b591fa0411892e3065035c8b89abf294b15f3cf2c49ffdce57d49688",
          "755615221793fca9eab630a378c497e4f0f7274221dc874c8cebd6c79efb14e75729f380f2c5fe1544d2"
            + "e3e30b56e7c6"
        ),
      ]),
  ]
}
