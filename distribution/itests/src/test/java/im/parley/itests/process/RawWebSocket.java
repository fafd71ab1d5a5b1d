package im.parley.itests.process;

import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.zip.Deflater;

/** RFC 6455 by hand, for frames that no library would send. */
final class RawWebSocket {
    private static final int TEXT = 0x81;
    private static final int TEXT_COMPRESSED = 0xC1;
    private static final byte[] MASK = {1, 2, 3, 4};

    private RawWebSocket() {}

    /** Sends one text frame with these bytes and returns the close code of the answer. */
    static int closeCodeFor(URI url, byte[] payload) throws IOException {
        return exchange(url, "", TEXT, payload);
    }

    /** Sends one permessage-deflate frame that inflates to so many bytes of the letter a. */
    static int closeCodeForInflating(URI url, int inflatedBytes) throws IOException {
        Deflater deflater = new Deflater(9, true);
        byte[] letters = new byte[1 << 20];
        java.util.Arrays.fill(letters, (byte) 'a');
        ByteArrayOutputStream compressed = new ByteArrayOutputStream();
        byte[] buffer = new byte[1 << 16];
        for (int done = 0; done < inflatedBytes; done += letters.length) {
            deflater.setInput(letters);
            while (!deflater.needsInput()) {
                int n = deflater.deflate(buffer, 0, buffer.length, Deflater.NO_FLUSH);
                compressed.write(buffer, 0, n);
            }
        }
        int n;
        while ((n = deflater.deflate(buffer, 0, buffer.length, Deflater.SYNC_FLUSH)) > 0) {
            compressed.write(buffer, 0, n);
        }
        byte[] all = compressed.toByteArray();
        // RFC 7692: the trailing 00 00 FF FF is left out on the wire.
        byte[] payload = java.util.Arrays.copyOf(all, all.length - 4);
        return exchange(url, "Sec-WebSocket-Extensions: permessage-deflate\r\n", TEXT_COMPRESSED, payload);
    }

    private static int exchange(URI url, String extra, int firstByte, byte[] payload) throws IOException {
        try (Socket socket = new Socket(url.getHost(), url.getPort())) {
            socket.setSoTimeout(15_000);
            OutputStream out = socket.getOutputStream();
            DataInputStream in = new DataInputStream(socket.getInputStream());
            String key = Base64.getEncoder().encodeToString(new byte[16]);
            out.write(("GET / HTTP/1.1\r\nHost: " + url.getHost() + ":" + url.getPort()
                            + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                            + "Sec-WebSocket-Key: " + key + "\r\n" + extra + "\r\n")
                    .getBytes(StandardCharsets.US_ASCII));
            String head = readHead(in);
            if (!head.startsWith("HTTP/1.1 101")) {
                throw new AssertionError("no upgrade: " + head);
            }
            if (!extra.isEmpty() && !head.toLowerCase(java.util.Locale.ROOT).contains("permessage-deflate")) {
                throw new AssertionError("the relay did not negotiate permessage-deflate, so this would prove nothing");
            }
            ByteArrayOutputStream frame = new ByteArrayOutputStream();
            frame.write(firstByte);
            if (payload.length < 126) {
                frame.write(0x80 | payload.length);
            } else if (payload.length < 65536) {
                frame.write(0x80 | 126);
                frame.write(payload.length >> 8);
                frame.write(payload.length);
            } else {
                frame.write(0x80 | 127);
                for (int shift = 56; shift >= 0; shift -= 8) {
                    frame.write((int) ((long) payload.length >> shift));
                }
            }
            frame.write(MASK);
            for (int i = 0; i < payload.length; i++) {
                frame.write(payload[i] ^ MASK[i % 4]);
            }
            try {
                out.write(frame.toByteArray());
                out.flush();
            } catch (IOException closedWhileWriting) {
                // The relay may close before it has read everything; its close frame still waits to be read.
            }
            return readUntilClose(in);
        }
    }

    private static String readHead(DataInputStream in) throws IOException {
        StringBuilder head = new StringBuilder();
        while (head.indexOf("\r\n\r\n") < 0) {
            head.append((char) in.readUnsignedByte());
        }
        return head.toString();
    }

    private static int readUntilClose(DataInputStream in) throws IOException {
        while (true) {
            int first = in.readUnsignedByte();
            long length = in.readUnsignedByte() & 0x7F;
            if (length == 126) {
                length = in.readUnsignedShort();
            } else if (length == 127) {
                length = in.readLong();
            }
            byte[] payload = in.readNBytes((int) length);
            if ((first & 0x0F) == 8) {
                return payload.length < 2 ? 1005 : (payload[0] & 0xFF) << 8 | payload[1] & 0xFF;
            }
        }
    }
}
