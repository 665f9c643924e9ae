export { createNotifications, type NotificationsFace, type OwnNotice } from "./face";
export { joinNotificationWrites } from "./own";
export { notificationRoutes, type NotificationParts } from "./routes";
