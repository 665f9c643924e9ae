/**
 * The comparison of `delivery.ts`: Socket.IO on Node. A route inserts the row with a prepared statement and emits it to a room that
 * every socket is in. No accounts, no rights, no audit log. Environment: `SOCKET` (folder of PostgreSQL's socket). Prints its address.
 */
import { createServer } from "node:http";
import { Pool } from "pg";
import { Server } from "socket.io";

const pool = new Pool({ host: process.env.SOCKET, user: "baasix", database: "baasix", max: 4 });
const insert = {
  name: "insert",
  text: `INSERT INTO orders (number, note, amount) VALUES ($1::int, $2::text, $3::numeric)
    RETURNING id, number, note, amount, "createdAt", "updatedAt"`,
};

const http = createServer(async (request, response) => {
  let text = "";
  for await (const piece of request) text += piece;
  const { number, note, amount } = JSON.parse(text);
  const { rows } = await pool.query({ ...insert, values: [number, note, amount] });
  const timestamp = new Date().toISOString();
  io.to("orders").emit("change", { action: "create", collection: "orders", data: rows[0], timestamp });
  response.writeHead(201, { "content-type": "application/json" }).end(JSON.stringify({ data: rows[0] }));
});
const io = new Server(http, { transports: ["websocket"], perMessageDeflate: false });
io.on("connection", (socket) => {
  void socket.join("orders");
  socket.emit("subscribed");
});
http.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${http.address().port}`));
